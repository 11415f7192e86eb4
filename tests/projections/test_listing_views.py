import uuid
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from domain.listing import events as listing
from domain.listing.events import ChangedField, ListingEvent
from domain.listing.status import Status
from domain.messages import RecordedEvent
from domain.policies.retry import ErrorClass
from domain.values import Platform
from projections.conflicts.projector import CONFLICTS
from projections.conflicts.reader import list_conflicts, read_conflict
from projections.listing_status import projector
from projections.listing_status.projector import LISTING_STATUS, ListingFold, ListingRow
from projections.listing_status.reader import list_listings, read_listing, summarise
from projections.reading import wait_until
from projections.verify import verify
from tests.projections.stage import ORG, Stage

NOW = datetime(2026, 3, 1, 10, 0, tzinfo=UTC)
PRICE = "price:BTK-PRG"


def desired(old: int | None, new: int) -> listing.DesiredChanged:
    change = ChangedField(field=PRICE, old=old, new=new)
    return listing.DesiredChanged(changes=(change,), cause="product", changed_at=NOW, changed_by="user:sari")


def life() -> tuple[ListingEvent, ...]:
    return (
        listing.ListingOpened(listing_id="l1", product_id="p1", connection_id="c1", platform=Platform.SHOPEE),
        desired(None, 224_250),
        listing.ListingLinked(
            external_id="9001",
            variants=(listing.ExternalVariant("BTK-PRG", "m1"),),
            created=True,
            reason="created by our push",
        ),
        listing.PushConfirmed(
            changes=(ChangedField(field=PRICE, old=None, new=224_250),), confirmed_at=NOW, skipped=0, latency_ms=120
        ),
        listing.PushRefused(
            fields=("title",), error_class=next(iter(ErrorClass)), code="too_long", message="too long", attempts=3
        ),
        listing.ShadowObserved(
            changes=(ChangedField(field=PRICE, old=224_250, new=210_000),),
            observed_at=NOW + timedelta(seconds=5),
            source="poll",
            by="seller",
        ),
        listing.ConflictDetected(
            conflict_id="k1",
            field=PRICE,
            ours=229_000,
            theirs=210_000,
            confirmed=224_250,
            ours_at=NOW,
            theirs_at=NOW + timedelta(seconds=5),
            ours_by="user:sari",
            theirs_by="seller",
            reason="both moved",
            strategy="manual",
            policy="default",
            policy_version=1,
        ),
        listing.ConflictResolved(
            conflict_id="k1",
            field=PRICE,
            outcome="theirs",
            value=210_000,
            strategy="manual",
            policy="default",
            policy_version=1,
            reason="keep it",
            by="user:sari",
        ),
        listing.OverrideKept(field=PRICE, old=None, new=210_000, reason="keep it"),
        listing.ListingUnlinked(external_id="9001", reason="wrong item"),
    )


def fact(version: int) -> RecordedEvent:
    return RecordedEvent(
        position=version * 10,
        org_id=ORG,
        stream_id="listing-l1",
        version=version,
        partition_key="p1",
        event_id=uuid.uuid4(),
        type="",
        schema=1,
        data=b"",
        occurred_at=NOW,
        recorded_at=NOW,
        actor="system",
        correlation_id=uuid.uuid4(),
    )


@pytest.mark.parametrize("until_version", range(1, len(life()) + 1))
def test_a_row_put_away_and_taken_up_again_folds_on_as_if_it_had_not_been(until_version: int) -> None:
    straight: ListingFold | None = None
    interrupted: ListingFold | None = None
    for version, event in enumerate(life()[:until_version], start=1):
        straight = projector.fold(straight, fact(version), event)
        interrupted = projector.fold(interrupted, fact(version), event)
        assert interrupted is not None
        stored = msgspec.json.encode(projector.freeze(interrupted))
        interrupted = projector.thaw(msgspec.json.decode(stored, type=ListingRow))
    assert straight is not None
    assert interrupted is not None
    assert projector.freeze(interrupted) == projector.freeze(straight)


def test_a_fact_before_the_opening_makes_no_row() -> None:
    assert projector.fold(None, fact(1), life()[1]) is None


def test_a_product_withdrawn_before_it_was_listed_waits_for_nothing() -> None:
    withdrawn = listing.DesiredChanged(
        changes=(ChangedField(field="listed", old=None, new=False),),
        cause="product",
        changed_at=NOW,
        changed_by="user:sari",
    )
    state: ListingFold | None = None
    for version, event in enumerate((life()[0], desired(None, 224_250)), start=1):
        state = projector.fold(state, fact(version), event)
    assert state is not None
    assert projector.freeze(state).behind == 1
    state = projector.fold(state, fact(3), withdrawn)
    assert state is not None
    assert projector.freeze(state).behind == 0


async def test_listings_show_how_they_stand_and_conflicts_how_they_ended(stage: Stage) -> None:
    await stage.build()
    async with stage.running():
        for event in life()[:7]:
            position = await stage.tell("listing-l1", event, key="p1")
        assert await wait_until(stage.app, ORG, "listing-l1", position, patience=20)
        (row,) = (await list_listings(stage.app, ORG, connection_id="c1", in_conflict=True)).items
        (open_one,) = (await list_conflicts(stage.app, ORG)).items
        (summary,) = (await summarise(stage.app, ORG)).items
        assert (row.link, row.external_id, row.open_conflicts, row.refused) == ("linked", "9001", 1, 1)
        assert row.last_synced_at == NOW
        assert row.offer_status == Status.HELD
        shadow = row.fields[PRICE].shadow
        assert shadow is not None
        assert shadow.value == 210_000
        assert (open_one.ours, open_one.theirs, open_one.confirmed) == (229_000, 210_000, 224_250)
        assert (open_one.connection_id, open_one.platform) == ("c1", Platform.SHOPEE)
        assert (summary.listings, summary.linked, summary.open_conflicts) == (1, 1, 1)
        assert sum(summary.groups.values()) == 3
        for event in life()[7:]:
            position = await stage.tell("listing-l1", event, key="p1")
        assert await wait_until(stage.app, ORG, "listing-l1", position, patience=20)
        assert (await list_conflicts(stage.app, ORG)).items == ()
        resolved = (await read_conflict(stage.app, ORG, "k1")).found
        assert resolved is not None
        assert (resolved.status, resolved.outcome, resolved.resolved_by) == ("resolved", "theirs", "user:sari")
        ended = (await read_listing(stage.app, ORG, "l1")).found
        assert ended is not None
        assert (ended.link, ended.cut_reason) == ("cut", "wrong item")
        assert (await read_listing(stage.app, "toko-lain", "l1")).found is None
    for view in (LISTING_STATUS, CONFLICTS):
        checked = await verify(view, stage.source)
        assert (checked.is_sound, checked.behind, checked.live_rows) == (True, 0, 1)
