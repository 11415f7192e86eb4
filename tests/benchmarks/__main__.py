"""All benchmarks, or some of them, one after the other, into one report.

python -m tests.benchmarks [--only append,relay,...]     (make bench ONLY=append)
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from infrastructure.local_stack.stack import LocalStack

ROOT: Final = Path(__file__).parents[2]
REPORT: Final = ROOT / "reports" / "benchmarks.json"

ON_A_STACK: Final = {"relay": "relay_drain", "latency": "relay_latency"}
"""Those that are told where PostgreSQL and Kafka are; the others start their own."""
BY_THEMSELVES: Final = {"append": "append", "rebuild": "rebuild", "live": "projection_live", "whole": "whole"}


def run(module: str, *arguments: str) -> Any:
    """What the benchmark prints as JSON; its complaints go to the terminal."""
    done = subprocess.run(
        [sys.executable, "-m", f"tests.benchmarks.{module}", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def on_a_stack(module: str) -> Any:
    with tempfile.TemporaryDirectory(prefix="syncstore-bench-") as folder:
        Path(folder).chmod(0o755)
        stack = LocalStack(Path(folder) / "stack", jars=ROOT / ".local" / "jars")
        address = stack.up()
        try:
            return run(module, "--database-url", address.database_url, "--kafka", address.kafka_bootstrap, "--json")
        finally:
            stack.down()


def main() -> None:
    names = (*BY_THEMSELVES, *ON_A_STACK)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", help=f"of {', '.join(names)}, separated by commas")
    given = parser.parse_args()
    chosen = given.only.split(",") if given.only else names
    if strange := set(chosen) - set(names):
        parser.error(f"there is no benchmark {', '.join(sorted(strange))}; there are {', '.join(names)}")
    report: dict[str, Any] = {
        "machine": {"processors": os.cpu_count(), "platform": platform.platform(), "python": platform.python_version()}
    }
    for name in chosen:
        print(f"{name} ...", file=sys.stderr, flush=True)
        report[name] = on_a_stack(ON_A_STACK[name]) if name in ON_A_STACK else run(BY_THEMSELVES[name])
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(json.dumps(report, indent=2))
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
