from tests.benchmarks.__main__ import PARTS
from tests.benchmarks.append_bulk import COPY, COPY_ALL
from tests.benchmarks.figures import OURS, Comparison, Part
from tests.benchmarks.goals import GOALS, verdicts
from tests.benchmarks.held import FREE, recovery
from tests.benchmarks.peers import debezium
from tests.benchmarks.relay_drain import BARE_SEND, BATCHES
from tests.benchmarks.relay_latency import BESIDE_EVENTS, IN_USE
from tests.benchmarks.report import Report, markdown


def part(name: str, title: str, control: str, **contenders: list[float]) -> Part:
    return Part(
        name=name,
        title=name,
        about="",
        comparisons=[Comparison(title=title, unit="/s", control=control, rounds=contenders)],
    )


def bulk(ours: float) -> Part:
    return part("bulk", "30,000 new products", COPY, **{COPY: [100_000.0], COPY_ALL: [64_000.0], OURS: [ours]})


def lines(*parts: Part) -> list[str]:
    report = Report(began="2026-03-01", size="full", parts=list(parts))
    return [line for line in markdown(report) if line.startswith(("| bulk |", "| relay |"))]


def test_a_goal_that_is_reached_is_met() -> None:
    assert lines(bulk(200_000.0))[0].split(" | ")[2:5] == ["at least 200,000 /s", "200,000 /s", "met"]


def test_a_goal_that_is_short_stands_beside_what_bounds_it() -> None:
    (line,) = lines(bulk(30_000.0))
    assert "| 30,000 /s | **short** |" in line
    assert "COPY, which checks nothing, makes 100,000/s of the events alone, 64,000/s of all four tables" in line


def test_a_ratio_is_taken_round_by_round() -> None:
    contenders = {OURS: [30.0, 60.0, 90.0], BARE_SEND: [30.0, 30.0, 30.0], debezium.NAME: [10.0, 15.0, 90.0]}
    found = verdicts([part("relay", "10,000 rows", BARE_SEND, **contenders, **{BATCHES: [40.0, 60.0, 270.0]})])
    told = {verdict.goal.what: (verdict.value, verdict.bound) for verdict in found}
    assert told["drain of 10,000 rows, to bare send()"] == (2.0, "")
    assert told["drain of 10,000 rows, to Debezium"] == (
        3.0,
        "the same batches sent with no database at all: 4 x",
    )


def test_what_a_run_did_not_measure_is_not_judged() -> None:
    without_debezium = part("relay", "100,000 rows", BARE_SEND, **{OURS: [30.0], BARE_SEND: [30.0]})
    told = {line.split(" | ")[1]: line.split(" | ")[3:5] for line in lines(without_debezium)}
    assert told["drain of 100,000 rows, to bare send()"] == ["1 x", "met"]
    assert told["drain of 100,000 rows, to Debezium"] == ["not in this run", ""]


def test_what_bounds_a_goal_may_be_missing() -> None:
    title = "stored to acknowledged, p99, 2,000/s"
    without_debezium = part("latency", title, BARE_SEND, **{OURS: [12.0], BARE_SEND: [3.0]})
    told = {verdict.goal.what: (verdict.value, verdict.bound) for verdict in verdicts([without_debezium])}
    assert told["stored to acknowledged, p99, at 2,000/s"] == (12.0, "")


def test_a_latency_that_is_short_tells_how_full_the_machine_was_and_what_the_same_rows_take() -> None:
    title = "stored to consumed, p50, 2,000/s"
    took = {OURS: [17.0], BARE_SEND: [5.0], debezium.NAME: [16.0], BESIDE_EVENTS: [34.0]}
    short = part("latency", title, BARE_SEND, **took)
    (found,) = [one for one in verdicts([short]) if one.value is not None]
    assert found.bound == ""
    short.facts = {f"{IN_USE}, {OURS} at 2,000/s": 98, f"{IN_USE}, {debezium.NAME} at 2,000/s": 97}
    (found,) = [one for one in verdicts([short]) if one.value is not None]
    assert "with writers that store the event too, as ours do: 0.5 x" in found.bound
    assert "processors in use 98 % of the time, with Debezium 97 %" in found.bound


def test_what_an_open_transaction_costs_stands_beside_its_loss() -> None:
    held = part("held", "processor time of PostgreSQL, reader held", FREE, **{FREE: [2.0], "held for 60 s": [2.1]})
    held.facts = {"reader: loss in percent": 17.0}
    told = {verdict.goal.what: (verdict.value, verdict.bound) for verdict in verdicts([held])}
    value, bound = told["loss while one transaction stays open (reader)"]
    assert value == 17.0
    assert bound.startswith("an event takes 1.05 x the processor time of PostgreSQL while it is open")


def test_a_recovery_that_never_came_misses_its_goal() -> None:
    assert recovery([0.5, 1.5], 15.0) == 1.0
    held = part("held", "published, appender held", FREE, **{FREE: [2.0, 2.0], "held for 60 s": [1.9, 1.5]})
    held.facts = {"appender: seconds to recover": recovery([0.5, None], 15.0)}
    (found,) = [one for one in verdicts([held]) if one.value is not None]
    assert not found.goal.is_met_by(15.0)
    assert found.value == 15.0


def test_every_goal_is_of_a_benchmark_that_is_there() -> None:
    assert {goal.part for goal in GOALS} <= set(PARTS)
