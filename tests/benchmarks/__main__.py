"""All benchmarks, or some of them, one after the other, into one report in .local/bench/.

python -m tests.benchmarks [--only append,relay,...] [--size small]     (make bench ONLY=append SIZE=small)
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from tests.benchmarks import machine
from tests.benchmarks.figures import Part
from tests.benchmarks.part import ROOT, Size
from tests.benchmarks.progress import clock
from tests.benchmarks.report import Report, write

FOLDER: Final = ROOT / ".local" / "bench"

PARTS: Final = {
    "append": ("append", 210),
    "bulk": ("append_bulk", 60),
    "relay": ("relay_drain", 330),
    "latency": ("relay_latency", 240),
    "live": ("projection_live", 120),
    "rebuild": ("rebuild", 120),
    "whole": ("whole", 330),
    "import": ("import_csv", 240),
    "held": ("held", 480),
    "sizes": ("sizes", 180),
}
"""By name: the module, and about how many seconds it takes at full size on two processors."""
LARGE: Final = {"relay": 1500, "live": 1200, "rebuild": 1800, "sizes": 1500}
"""The same of those that measure more at the large size."""
SMALL: Final = 0.2
"""Of the full time, when little is measured."""
PATIENCE: Final = 4
"""A part that takes so many times as long as it should, and ten minutes more, hangs."""


def run(name: str, size: Size) -> Part:
    """In a process of its own, so that no part leaves anything behind for the next. Its progress goes to the terminal.

    Raises CalledProcessError, TimeoutExpired.
    """
    done = subprocess.run(
        [sys.executable, "-m", f"tests.benchmarks.{PARTS[name][0]}", "--size", size],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        check=True,
        timeout=PATIENCE * expected(name, size) + 600,
    )
    return msgspec.json.decode(done.stdout, type=Part)


def expected(name: str, size: Size) -> float:
    """About how many seconds a part takes."""
    full = PARTS[name][1]
    match size:
        case Size.SMALL:
            return SMALL * full
        case Size.FULL:
            return full
        case Size.LARGE:
            return LARGE.get(name, full)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(PARTS), help=f"of {', '.join(PARTS)}, separated by commas")
    parser.add_argument(
        "--size",
        type=Size,
        choices=list(Size),
        default=Size.FULL,
        help="small: whether it works; large: a million products as well",
    )
    parser.add_argument("--to", type=Path, default=FOLDER, help="the folder of the report")
    given = parser.parse_args()
    chosen = given.only.split(",")
    if strange := set(chosen) - set(PARTS):
        parser.error(f"there is no benchmark {', '.join(sorted(strange))}; there are {', '.join(PARTS)}")
    began = time.monotonic()
    report = Report(began=datetime.now(UTC).isoformat(timespec="seconds"), size=given.size, machine=machine.describe())
    for number, name in enumerate(chosen, 1):
        left = sum(expected(one, given.size) for one in chosen[number - 1 :])
        say(f"{name} ({number} of {len(chosen)}; about {clock(left)} for what is left)")
        try:
            report.parts.append(run(name, given.size))
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            report.failures[name] = str(error)
            say(f"{name} failed: {error}")
        report.seconds = time.monotonic() - began
        path = write(report, given.to)  # after each part: what is measured is not lost with what comes after
    say(f"took {clock(report.seconds)}; the report is {path}")
    if report.failures:
        sys.exit(1)


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
