"""How a listing answers commands. Wishes and pushes are decided in `pushing`, what the shop shows in `observation`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, assert_never

from domain.decider import Decider
from domain.errors import Refusal
from domain.listing import commands, events
from domain.listing.commands import ListingCommand
from domain.listing.evolution import evolve
from domain.listing.observation import observe
from domain.listing.pushing import hold, record_push, set_desired
from domain.listing.resolution import resolve_by_person
from domain.listing.state import Cut, Linked, Listing, ListingState, NotLinked, NotOpened


class NoSuchListing(Refusal):
    code = "listing_unknown"
    remedy = "Check the listing id, or open the listing first."


class ListingExists(Refusal):
    code = "listing_exists"
    remedy = "A product is listed once in a shop; use the listing that is there."


class AlreadyLinked(Refusal):
    code = "listing_linked"
    remedy = "Unlink the listing first if it shall be another item of the shop."


class LinkWasCut(Refusal):
    code = "listing_unlinked"
    remedy = "Link it again by hand if that is meant."


class NoOverride(Refusal):
    code = "override_unknown"
    remedy = "Only a field whose shop value is kept can follow the master again."


def decide(command: ListingCommand, state: ListingState) -> Sequence[events.ListingEvent]:
    match state:
        case NotOpened():
            if isinstance(command, commands.OpenListing):
                return [_opened(command)]
            raise NoSuchListing("there is no such listing")
        case Listing():
            return _decide_open(command, state)
        case _:
            assert_never(state)


def _decide_open(  # noqa: C901, PLR0911, PLR0912  # one arm a command
    command: ListingCommand, listing: Listing
) -> Sequence[events.ListingEvent]:
    match command:
        case commands.OpenListing():
            return _open_again(command, listing)
        case commands.LinkListing():
            return _link(command, listing)
        case commands.UnlinkListing(reason=reason):
            if not isinstance(listing.link, Linked):
                return []
            return [events.ListingUnlinked(external_id=listing.link.external_id, reason=reason)]
        case commands.SetDesired():
            return set_desired(command, listing)
        case commands.Observe():
            return observe(command, listing)
        case commands.RecordPush():
            return record_push(command, listing)
        case commands.HoldFields(fields=fields):
            return hold(
                [
                    commands.PostponedValue(
                        field=name, code=command.code, reason=command.reason, recheck_at=command.recheck_at
                    )
                    for name in fields
                ],
                listing,
            )
        case commands.ReleaseHold():
            return _release(command, listing)
        case commands.StartReview(group=group, reason=reason):
            known = listing.in_review.get(group) == reason
            return [] if known else [events.ReviewStarted(group=group, reason=reason)]
        case commands.EndReview(group=group, approved=approved, reason=reason):
            if group not in listing.in_review and (approved or listing.rejected.get(group) == reason):
                return []
            return [events.ReviewEnded(group=group, approved=approved, reason=reason)]
        case commands.PauseListing(reason=reason):
            return [] if listing.paused is not None else [events.ListingPaused(reason=reason)]
        case commands.ResumeListing(reason=reason):
            return [] if listing.paused is None else [events.ListingResumed(reason=reason)]
        case commands.ResolveConflict():
            return resolve_by_person(command, listing)
        case commands.DropOverride():
            return _drop_override(command, listing)
        case _:
            assert_never(command)


def _opened(command: commands.OpenListing) -> events.ListingOpened:
    return events.ListingOpened(
        listing_id=command.listing_id,
        product_id=command.product_id,
        connection_id=command.connection_id,
        platform=command.platform,
    )


def _open_again(command: commands.OpenListing, listing: Listing) -> Sequence[events.ListingEvent]:
    if (command.product_id, command.connection_id) == (listing.product_id, listing.connection_id):
        return []
    raise ListingExists(f"listing {listing.listing_id} is of product {listing.product_id}", product=listing.product_id)


def _link(command: commands.LinkListing, listing: Listing) -> Sequence[events.ListingEvent]:
    variants = tuple(sorted(command.variants, key=lambda variant: variant.sku))
    linked = events.ListingLinked(
        external_id=command.external_id, variants=variants, created=command.created, reason=command.reason
    )
    match listing.link:
        case NotLinked():
            return [linked]
        case Linked(external_id=external_id, variants=known):
            if external_id != command.external_id:
                raise AlreadyLinked(f"this listing is item {external_id}", external_id=external_id)
            return [] if variants == known else [linked]
        case Cut(external_id=external_id, reason=reason):
            if not command.again:
                raise LinkWasCut(f"the tie to item {external_id} was cut: {reason}", external_id=external_id)
            return [linked]
        case _:
            assert_never(listing.link)


def _release(command: commands.ReleaseHold, listing: Listing) -> Sequence[events.ListingEvent]:
    held = sorted(
        name
        for name, field in listing.fields.items()
        if (field.held is not None or field.refused is not None) and (not command.fields or name in command.fields)
    )
    return [events.HoldReleased(fields=tuple(held), reason=command.reason)] if held else []


def _drop_override(command: commands.DropOverride, listing: Listing) -> Sequence[events.ListingEvent]:
    field = listing.fields.get(command.field)
    if field is None:
        raise NoOverride(f"this listing has no field {command.field!r}", field=command.field)
    if field.override is None:
        return []
    return [events.OverrideKept(field=command.field, old=field.override, new=None, reason=command.reason)]


LISTING: Final[Decider[ListingCommand, ListingState, events.ListingEvent]] = Decider(
    category="listing", initial=NotOpened(), decide=decide, evolve=evolve
)
