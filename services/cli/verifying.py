"""`syncstore verify`: is anything missing?"""

from __future__ import annotations

import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from infrastructure.postgres.pool import WORKER
from infrastructure.settings import Settings
from projections.fill import Source
from services.cli.process import ask, ready_database
from services.servers import kafka_of
from services.verification.findings import Report
from services.verification.verify import verify as run_verification


@click.command()
@click.option("--json", "as_json", is_flag=True, help="The whole report as JSON on standard output.")
def verify(as_json: bool) -> None:
    """Hold event store, outbox, topics, read models and listings against each other. Nothing is changed or stopped.

    The exit code is 0 when nothing is missing, out of order, altered or done twice, else 1.
    """
    report: Report = ask(_verify(ready_database()))
    click.echo(msgspec.json.format(msgspec.json.encode(report)) if as_json else told(report))
    if not report.is_sound:
        raise SystemExit(1)


async def _verify(settings: Settings) -> Report:
    assert settings.database_url is not None
    columns = (TextColumn("{task.description:<12}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        stages: dict[str, TaskID] = {}

        def show(stage: str, done: int, total: int) -> None:
            if stage not in stages:
                stages[stage] = bar.add_task(stage)
            bar.update(stages[stage], completed=done, total=total)

        return await run_verification(Source(settings.database_url, WORKER), kafka_of(settings), show)


def told(report: Report) -> str:
    """For people."""
    lines = [f"as of {report.taken_at}, position {report.cut}; {report.seconds:.1f} s"]
    for check in report.checks:
        found = ", ".join(f"{number} {kind}" for kind, number in check.violations.items())
        lines.append(f"{'WRONG' if found else 'ok':<6}{check.name:<22}{check.count:>10}  {check.compared}")
        if found:
            lines.append(f"      {found}")
        lines += [f"      {violation}" for violation in check.examples]
        lines += [f"      {note}" for note in check.notes]
    wrong = sum(report.violations.values())
    lines.append("nothing is missing" if report.is_sound else f"{wrong} things are wrong")
    return "\n".join(lines)
