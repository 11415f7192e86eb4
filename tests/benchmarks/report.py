"""One report of all parts: Markdown for people, JSON for programs, an image for each part."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from tests.benchmarks import plot
from tests.benchmarks.figures import LOWER, OURS, Comparison, Part, Spread
from tests.benchmarks.goals import Verdict, verdicts
from tests.benchmarks.progress import clock


class Report(msgspec.Struct, kw_only=True):
    began: str
    size: str
    seconds: float = 0
    machine: dict[str, str | int | float] = {}
    parts: list[Part] = []
    failures: dict[str, str] = {}
    """By part, why there are no figures of it."""


def write(report: Report, folder: Path) -> Path:
    """report.md, report.json and an SVG for each part; answers the first."""
    folder.mkdir(parents=True, exist_ok=True)
    for part in report.parts:
        (folder / f"{part.name}.svg").write_text(plot.ratios(part.title, part.comparisons), encoding="utf-8")
    encoded = msgspec.to_builtins(report) | {"summary": summary(report.parts)}
    (folder / "report.json").write_bytes(msgspec.json.format(msgspec.json.encode(encoded)))
    path = folder / "report.md"
    path.write_text("\n".join(markdown(report)), encoding="utf-8")
    return path


def summary(parts: Sequence[Part]) -> list[dict[str, object]]:
    """Medians, spreads and ratios, one row for each contender of each comparison."""
    return [
        {
            "part": part.name,
            "comparison": comparison.title,
            "unit": comparison.unit,
            "better": comparison.better,
            "contender": contender,
            "control": comparison.control,
            "rounds": len(comparison.rounds[contender]),
            "value": msgspec.to_builtins(comparison.spread(contender)),
            "ratio": msgspec.to_builtins(comparison.ratio(contender)),
        }
        for part in parts
        for comparison in part.comparisons
        for contender in comparison.rounds
    ]


def markdown(report: Report) -> Iterator[str]:
    yield "# Benchmarks"
    yield ""
    yield (
        f"Begun {report.began}, size {report.size}, took {clock(report.seconds)}. Contenders took turns in each round. "
        "Figures are medians with the least and the most of the rounds. A ratio is a contender's figure divided by the "
        "control's in the same round; the last column is ours divided by the contender's. Absolute figures say "
        "something about this machine only."
    )
    yield ""
    yield "| machine | |"
    yield "|---|---|"
    yield from (f"| {name.replace('_', ' ')} | {value} |" for name, value in report.machine.items())
    yield from _goals(list(verdicts(report.parts)))
    for part in report.parts:
        yield from _part(part)
    if report.failures:
        yield ""
        yield "## Parts without figures"
        yield ""
        yield from (f"- {name}: {why}" for name, why in report.failures.items())
    yield ""


def _goals(found: Sequence[Verdict]) -> Iterator[str]:
    if not found:
        return
    yield ""
    yield "## Goals"
    yield ""
    yield "| part | | goal | measured | | what bounds what is short, measured in the same run |"
    yield "|---|---|--:|--:|---|---|"
    for goal, value, bound in found:
        wanted = f"{'at most' if goal.most else 'at least'} {goal.wanted:,g} {goal.unit}"
        if value is None:
            measured, verdict = "not in this run", " | "
        else:
            measured = f"{_number(value)} {goal.unit}"
            verdict = "met | " if goal.is_met_by(value) else f"**short** | {bound}"
        yield f"| {goal.part} | {goal.what} | {wanted} | {measured} | {verdict} |"


def _part(part: Part) -> Iterator[str]:
    yield ""
    yield f"## {part.title}"
    yield ""
    yield " ".join(part.about.split())
    yield ""
    yield f"![Ratios to the control]({part.name}.svg)"
    yield ""
    yield f"| | contender | median | least to most | ratio | least to most | {OURS} to it |"
    yield "|---|---|--:|--:|--:|--:|--:|"
    for comparison in part.comparisons:
        yield from _rows(comparison)
    if part.facts:
        yield ""
        yield "; ".join(f"{name.replace('_', ' ')}: {_number(value)}" for name, value in part.facts.items()) + "."
    for note in part.notes:
        yield ""
        yield f"Left out or to be known: {note}."


def _rows(comparison: Comparison) -> Iterator[str]:
    suffix = ", lower is better" if comparison.better == LOWER else ""
    for number, contender in enumerate(comparison.rounds):
        title = f"{comparison.title} ({comparison.unit}{suffix})" if number == 0 else ""
        value, ratio = comparison.spread(contender), comparison.ratio(contender)
        relation = "control" if contender == comparison.control else f"**{_number(ratio.median)} x**"
        beside = "" if contender == comparison.control else _range(ratio)
        ours = ""
        if OURS in comparison.rounds and contender != OURS:
            ours = f"{_number(comparison.ratio(OURS, contender).median)} x"
        yield f"| {title} | {contender} | {_number(value.median)} | {_range(value)} | {relation} | {beside} | {ours} |"


def _range(spread: Spread) -> str:
    return f"{_number(spread.least)} to {_number(spread.most)}"


def _number(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
