"""`make prove`: python -m tests.proof [--events 1000000] [--faults all|3|name,name] [--products 60] [--seed N]

Writes reports/proof.md; the exit code is 0 when nothing was found to be wrong.
"""

from __future__ import annotations

import argparse
import logging
import secrets
import shutil
import sys
import time
from pathlib import Path
from typing import Final

import uvloop

from tests.proof.campaign import Proof, prove
from tests.proof.faults.every import ALL
from tests.proof.faults.fault import Fault
from tests.proof.markdown import markdown
from tests.proof.system import running

REPORT: Final = Path(__file__).parents[2] / "reports" / "proof.md"
PROGRESS_SECONDS: Final = 20.0


def chosen(text: str) -> list[Fault]:
    """All of them, so many of them in turn, or those whose class is named."""
    if text == "all":
        return [fault() for fault in ALL]
    if text.isdecimal():
        return [ALL[number % len(ALL)]() for number in range(int(text))]
    known = {fault.__name__: fault for fault in ALL}
    names = [name for name in text.split(",") if name]
    if strange := [name for name in names if name not in known]:
        raise SystemExit(f"{', '.join(strange)}: no such fault; there are {', '.join(known)}")
    return [known[name]() for name in names]


class Teller:
    """Lines on standard output. One that begins with a carriage return is progress: on a terminal the next is written
    over it, elsewhere it is told now and then."""

    def __init__(self) -> None:
        self._told_at = time.monotonic()

    def __call__(self, line: str) -> None:
        progress = line.startswith("\r")
        if sys.stdout.isatty():
            print(f"{line}\x1b[K" if progress else f"\r\x1b[K{line}", end="" if progress else "\n", flush=True)
        elif not progress or time.monotonic() - self._told_at > PROGRESS_SECONDS:
            self._told_at = time.monotonic()
            print(line.removeprefix("\r"), flush=True)


say: Final = Teller()


async def _prove(given: argparse.Namespace) -> Proof:
    async with running(say, relays=given.relays) as system:
        proof = await prove(
            system,
            chosen(given.faults),
            say,
            products=given.products,
            events=given.events,
            pace=given.pace,
            seed=given.seed,
        )
        if proof.wrong:
            REPORT.parent.mkdir(exist_ok=True)
            shutil.copy(system.log, REPORT.with_name("proof-parts.log"))
        return proof


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--faults", default="all")
    parser.add_argument("--products", type=int, default=60)
    parser.add_argument("--relays", type=int, default=2)
    parser.add_argument("--pace", type=float, default=0.05, help="seconds that a writer rests between two commands")
    parser.add_argument("--seed", type=int, default=None)
    given = parser.parse_args()
    chosen(given.faults)
    given.seed = secrets.randbelow(2**31) if given.seed is None else given.seed
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)  # that connections break is what the faults are for
    say(f"seed         {given.seed}")
    proof = uvloop.run(_prove(given))
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(markdown(proof), encoding="utf-8")
    for line in proof.wrong[:50]:
        say(f"WRONG        {line}")
    say(f"{'NOT PROVEN' if proof.wrong else 'proven'}: {proof.events:,} events in {proof.seconds:.0f} s; {REPORT}")
    sys.exit(1 if proof.wrong else 0)


if __name__ == "__main__":
    main()
