"""Mistakes that somebody could make in our code, each of which some schedule must notice."""

from __future__ import annotations

from typing import Final

from infrastructure.kafka.offsets import _sql as OFFSETS  # noqa: N812  # a table of statements, as its sisters
from infrastructure.outbox.leases import SQL as LEASES
from infrastructure.outbox.reader import SQL as OUTBOX
from infrastructure.shops.push_queue import SQL as QUEUE
from tests.simulation.database import Meaning, Result, Transaction, Values
from tests.simulation.mutation import Mutant, MutantStatement
from tests.simulation.outbox_statements import Lease, delete_acknowledged


def _unfenced(_: Meaning) -> Meaning:
    def delete(tx: Transaction, p: Values) -> Result:
        found = [int(number) for number in p["positions"][1:-1].split(",") if tx.get("outbox", int(number)) is not None]
        for position in found:
            tx.remove("outbox", position, relaxed=True)
        return Result([(position,) for position in found])

    return delete


def _by_range(_: Meaning) -> Meaning:
    def delete(tx: Transaction, p: Values) -> Result:
        wanted = [int(number) for number in p["positions"][1:-1].split(",") if number]
        between = [position for position, _ in tx.scan("outbox") if min(wanted) <= position <= max(wanted)]
        return delete_acknowledged(tx, {**p, "positions": f"{{{','.join(map(str, between))}}}"})

    return delete


def _blind_to_appenders(horizon: Meaning) -> Meaning:
    def look(tx: Transaction, p: Values) -> Result:
        ((given_out, _, *rest),) = horizon(tx, p).rows
        return Result([(given_out, {}, *rest)])

    return look


def _blind_to_what_was_passed(pending: Meaning) -> Meaning:
    return lambda tx, p: pending(tx, {**p, "passed": "{}", "floors": "{}"})


def _renewing_what_has_run_out(_: Meaning) -> Meaning:
    def renew(tx: Transaction, p: Values) -> Result:
        kept = []
        for shard, term in zip(p["shards"], p["terms"], strict=True):
            lease: Lease = tx.get("relay_leases", shard)
            tx.put("relay_leases", shard, Lease(p["owner"], term, tx.now + p["ttl"], lease.rewinds))
            kept.append((shard, term))
        return Result(kept)

    return renew


def _moving_from_anywhere(_: Meaning) -> Meaning:
    def move(tx: Transaction, p: Values) -> Result:
        for topic, partition, following in zip(p["topics"], p["partitions"], p["next"], strict=True):
            tx.put("consumer_offsets", (p["consumer"], topic, partition), following)
        return Result(rowcount=len(p["topics"]))

    return move


def _done_whatever_came(_: Meaning) -> Meaning:
    def done(tx: Transaction, p: Values) -> Result:
        if tx.get("push_queue", p["listing_id"]) is None:
            return Result()
        tx.remove("push_queue", p["listing_id"])
        return Result(rowcount=1)

    return done


RELAY: Final = "relay"
CONSUMER: Final = "consumer"
IN_LANES: Final = "consumer-in-lanes"
REBUILD: Final = "rebuild"
PUSH: Final = "push"

MUTANTS: Final[tuple[Mutant | MutantStatement, ...]] = (
    Mutant(
        name="deletes what was sent, acknowledged or not",
        scenario=RELAY,
        module="relay.relay",
        before="self._delete(published.acknowledged, dict(shards))",
        after="self._delete(self._under_way, dict(shards))",
    ),
    Mutant(
        name="takes a batch for acknowledged when it is queued",
        scenario=RELAY,
        module="relay.publisher",
        before="await (await self._queue(partition, batch.builder))",
        after="await self._queue(partition, batch.builder)",
    ),
    Mutant(
        name="sends on what was read ahead after a batch has failed",
        scenario=RELAY,
        module="relay.relay",
        before="            published.raise_failure()\n",
        after="",
    ),
    Mutant(
        name="keeps the low mark when it reads anew",
        scenario=RELAY,
        module="relay.relay",
        before="        self._next = Batches()\n        self._mark.rewind()\n",
        after="        self._next = Batches()\n",
    ),
    Mutant(
        name="never sweeps below the low mark",
        scenario=RELAY,
        module="relay.relay",
        before="if now - self._swept_at >= SWEEP_SECONDS:",
        after="if False:",
    ),
    Mutant(
        name="lets the low mark pass appends that are under way",
        scenario=RELAY,
        module="infrastructure.outbox.low_mark",
        before="        if not waited_for:\n",
        after="        if True:\n",
    ),
    Mutant(
        name="does not come back for what was passed when it has ended",
        scenario=RELAY,
        module="infrastructure.outbox.low_mark",
        before="self.position = min(self.position, self.passed.pop(ended))",
        after="self.passed.pop(ended)",
    ),
    Mutant(
        name="passes transactions that no read can tell of",
        scenario=RELAY,
        module="infrastructure.outbox.low_mark",
        before="waited_for = {name for name, xid in appenders.items() if xid not in self.passed}",
        after="waited_for = {name for name, xid in appenders.items() if xid and xid not in self.passed}",
    ),
    Mutant(
        name="begins at what was passed too high",
        scenario=RELAY,
        module="infrastructure.outbox.low_mark",
        before="xid: self._settled for name",
        after="xid: given_out for name",
    ),
    Mutant(
        name="sends again what is under way below the mark",
        scenario=RELAY,
        module="relay.relay",
        before="lowest = min((low, *passed.values()))",
        after="lowest = low",
    ),
    Mutant(
        name="does not notice that parked events have come back",
        scenario=RELAY,
        module="relay.relay",
        before="if rewinds == self._rewinds:",
        after="if True:",
    ),
    Mutant(
        name="sends what it read in the moment parked events came back",
        scenario=RELAY,
        module="relay.relay",
        before="            rows = await self._pending(shards)\n        self._behind",
        after="            pass\n        self._behind",
    ),
    Mutant(
        name="looks how far all is visible before it has noted how far it read",
        scenario=RELAY,
        module="relay.relay",
        before="        self._mark.read(rows[-1].position if self._behind else None)",
        after="        await self._look()\n        self._mark.read(rows[-1].position if self._behind else None)",
    ),
    Mutant(
        name="sends events whose key waits for an operator",
        scenario=RELAY,
        module="relay.relay",
        before="if any(row.is_parked for row in rows):",
        after="if False:",
    ),
    Mutant(
        name="parks the refused event and sends those behind it",
        scenario=RELAY,
        module="relay.publisher",
        before="if row.partition_key in refused_keys:",
        after="if False:",
    ),
    Mutant(
        name="parks a key and sends what of it was read ahead",
        scenario=RELAY,
        module="relay.relay",
        before="        if followers:\n",
        after="        if False:\n",
    ),
    Mutant(
        name="goes on with a producer that has been refused",
        scenario=RELAY,
        module="relay.publisher",
        before="        if rows:\n            await self.producer.renew()\n",
        after="",
    ),
    Mutant(
        name="reads what is under way a second time",
        scenario=RELAY,
        module="relay.relay",
        before="under_way=under_way, limit",
        after="under_way=[], limit",
    ),
    Mutant(
        name="hands a shard over while rows of it are under way",
        scenario=RELAY,
        module="relay.leases",
        before="if self._shedding and not self._shedding.intersection(busy_shards()):",
        after="if self._shedding:",
    ),
    Mutant(
        name="trusts a lease from when the answer came",
        scenario=RELAY,
        module="relay.leases",
        before="        self._trusted_until = now + self._leases.ttl * (1 - MARGIN_SHARE)\n        self._renew_at",
        after="        self._trusted_until = self._monotonic() + self._leases.ttl * (1 - MARGIN_SHARE)\n"
        "        self._renew_at",
    ),
    Mutant(
        name="keeps shards whose leases were not renewed",
        scenario=RELAY,
        module="relay.leases",
        before="self.held, self._share = await",
        after="_, self._share = await",
    ),
    Mutant(
        name="sends for as long as it takes, whoever owns the shards by then",
        scenario=RELAY,
        module="relay.publisher",
        before="async with asyncio.timeout(patience):",
        after="async with asyncio.timeout(None):",
    ),
    MutantStatement(
        name="deletes whoever owns the shard", scenario=RELAY, text=OUTBOX["delete_acknowledged"], means=_unfenced
    ),
    MutantStatement(
        name="deletes from the first position to the last",
        scenario=RELAY,
        text=OUTBOX["delete_acknowledged"],
        means=_by_range,
    ),
    MutantStatement(
        name="sees no appends under way", scenario=RELAY, text=OUTBOX["horizon"], means=_blind_to_appenders
    ),
    MutantStatement(
        name="reads above an append that has been passed, and has ended",
        scenario=RELAY,
        text=OUTBOX["pending"],
        means=_blind_to_what_was_passed,
    ),
    MutantStatement(
        name="renews leases that have become another's",
        scenario=RELAY,
        text=LEASES["renew"],
        means=_renewing_what_has_run_out,
    ),
    Mutant(
        name="sets a record aside because the database is away",
        scenario=CONSUMER,
        module="infrastructure.kafka.faults",
        before="return isinstance(error, _WEATHER)",
        after="return isinstance(error, _WEATHER[1:])",
    ),
    Mutant(
        name="moves the offsets in a transaction of their own",
        scenario=CONSUMER,
        module="infrastructure.kafka.delivery",
        before="            await offsets.advance(connection, name, steps)\n",
        after="            await offsets.advance(connection, name, steps)\n"
        "        async with self._pool.connection() as connection, connection.transaction():\n",
    ),
    Mutant(
        name="stores effect and offsets without a transaction",
        scenario=CONSUMER,
        module="infrastructure.kafka.delivery",
        before="async with self._pool.connection() as connection, connection.transaction():",
        after="async with self._pool.connection() as connection:",
    ),
    Mutant(
        name="does not look whether its offsets were moved by another",
        scenario=CONSUMER,
        module="infrastructure.kafka.offsets",
        before="if cursor.rowcount != len(steps):",
        after="if False:",
    ),
    MutantStatement(
        name="moves offsets from wherever they are",
        scenario=CONSUMER,
        text=OFFSETS["advance"],
        means=_moving_from_anywhere,
    ),
    Mutant(
        name="applies records whose key is parked",
        scenario=CONSUMER,
        module="infrastructure.kafka.delivery",
        before="        if key in waiting:\n",
        after="        if False:\n",
    ),
    Mutant(
        name="parks a record and applies those behind it",
        scenario=CONSUMER,
        module="infrastructure.kafka.delivery",
        before="            waiting.add(key)\n",
        after="",
    ),
    Mutant(
        name="tries the second half of a failed batch first",
        scenario=CONSUMER,
        module="infrastructure.kafka.delivery",
        before="undone += [part[middle:], part[:middle]]",
        after="undone += [part[:middle], part[middle:]]",
    ),
    Mutant(
        name="lets records of one partition overtake each other in two lanes",
        scenario=IN_LANES,
        module="infrastructure.kafka.delivery",
        before="lanes[record.partition % number]",
        after="lanes[record.offset % number]",
    ),
    Mutant(
        name="applies what was under way before it sought the stored offset",
        scenario=CONSUMER,
        module="infrastructure.kafka.delivery",
        before="if record.offset > position and",
        after="if False and",
    ),
    Mutant(
        name="does not seek the stored offset",
        scenario=CONSUMER,
        module="infrastructure.kafka.member",
        before="                consumer.seek(TopicPartition(*partition), offset)\n",
        after="",
    ),
    Mutant(
        name="does not look whether the database was restored",
        scenario=CONSUMER,
        module="infrastructure.kafka.member",
        before=" or position > stored.get(partition, -1)",
        after="",
    ),
    Mutant(
        name="asks where partitions end before it reads where it stands",
        scenario=CONSUMER,
        module="infrastructure.kafka.starting",
        before="        begins = await consumer.beginning_offsets(topic_partitions)\n",
        after="        begins = await consumer.beginning_offsets(topic_partitions)\n"
        "        early = await consumer.end_offsets(topic_partitions)\n",
        also=(("        ends = await consumer.end_offsets(topic_partitions)\n", "        ends = early\n"),),
    ),
    Mutant(
        name="folds a fact whatever the row has folded",
        scenario=REBUILD,
        module="projections.runner",
        before="            if fact.version > reached:\n",
        after="            if True:\n",
        also=(("if state is not None and state.version > first:", "if state is not None:"),),
    ),
    Mutant(
        name="remembers which generation is live",
        scenario=REBUILD,
        module="projections.runner",
        before="            generations = {view.name: generation_for(view, live) for view in self._views}\n",
        after="            generations = {view.name: generation_for(view, live) for view in self._views}\n"
        "            self._generations = generations\n",
    ),
    Mutant(
        name="looks where Kafka ends after it has filled",
        scenario=REBUILD,
        module="projections.catch_up",
        before="    await offsets.open_partitions(connection, consumer_of(view, generation), ends)\n",
        after="    pass\n",
        also=(("missing = {partition: 0 for", "missing = {partition: until[partition] for"),),
    ),
    Mutant(
        name="switches without holding the live members",
        scenario=REBUILD,
        module="projections.rebuild",
        before="live = await offsets.lock_offsets(connection, LIVE)",
        after="live = await offsets.load_offsets(connection, LIVE)",
    ),
    Mutant(
        name="switches without catching up with the live members",
        scenario=REBUILD,
        module="projections.rebuild",
        before="            await self._catch_up.to(live)\n",
        after="",
    ),
    Mutant(
        name="catches up into the live generation",
        scenario=REBUILD,
        module="projections.catch_up",
        before="generations={self._view.name: self._generation})",
        after="generations=None)",
    ),
    Mutant(
        name="marks a bucket in another transaction than its rows",
        scenario=REBUILD,
        module="projections.fill",
        before="with connection.transaction(), _without_cycles():",
        after="with _without_cycles():",
    ),
    Mutant(
        name="goes on with a rebuild that another has ended",
        scenario=REBUILD,
        module="projections.catch_up",
        before="            if not at:\n",
        after="            if False:\n",
    ),
    MutantStatement(
        name="takes a listing off the queue though there was a new reason",
        scenario=PUSH,
        text=QUEUE["done"],
        means=_done_whatever_came,
    ),
    Mutant(
        name="takes a push without an answer for proven",
        scenario=PUSH,
        module="services.consumers.sending",
        before="        sent.fail(failed.error, known.values())\n        return\n",
        after="        for row in known.values():\n            sent.prove(row)\n        return\n",
    ),
    Mutant(
        name="does not try again what has failed",
        scenario=PUSH,
        module="services.consumers.pusher",
        before="again = sent.retry_at or _next_look(listing, now)",
        after="again = None",
    ),
    Mutant(
        name="takes a turn that has failed for one that has ended",
        scenario=PUSH,
        module="services.consumers.lane",
        before="            if turn.again_at is None:\n",
        after="            if True:\n",
    ),
)
