import hashlib
import importlib.util
import shutil
from collections.abc import Mapping
from pathlib import Path

from infrastructure.local_stack.errors import LocalStackError
from infrastructure.local_stack.state import Report, exclusive, make_folder

KAFKA_VERSION = "4.3.1"
ENDPOINT = f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}+org.slf4j:slf4j-simple:1.7.36"
PINS = Path(__file__).with_name("kafka_jars.sha256")


def pinned_jars() -> dict[str, str]:
    """Jar name to sha256, as shipped with this package, in the format of the program sha256sum."""
    lines = (line.split() for line in PINS.read_text().splitlines())
    return {name: digest for digest, name in lines}


def kafka_jars(cache: Path, report: Report) -> list[Path]:
    """Kafka's jars, each verified against its pinned sha256; fetched when the cache folder has none yet.

    The folder may be shared by several stacks, and may be filled by hand on a machine without a network.
    """
    make_folder(cache)
    folder = cache / f"kafka-{KAFKA_VERSION}"
    with exclusive(cache / "jars.lock", report):
        if not folder.exists():
            fresh = cache / "resolving"
            shutil.rmtree(fresh, ignore_errors=True)
            report(f"fetching Apache Kafka {KAFKA_VERSION}, once")
            try:
                verified = verify(_resolve(fresh, folder), pinned_jars(), remedy=f"Nothing was kept in {folder}.")
                for jar in verified:
                    shutil.copyfile(jar, _made(fresh / "verified") / jar.name)
                (fresh / "verified").replace(folder)
            finally:
                shutil.rmtree(fresh, ignore_errors=True)
        jars = sorted(folder.glob("*.jar"))
        return verify(jars, pinned_jars(), remedy=f"Delete {folder}; the next start fetches the jars again.")


def verify(jars: list[Path], pins: Mapping[str, str], *, remedy: str) -> list[Path]:
    """The same jars, unless one is missing, is not pinned, or differs from its pin."""
    found = {jar.name: jar for jar in jars}
    faults = [f"{name} is missing" for name in sorted(pins.keys() - found.keys())]
    faults += [f"{name} does not belong to Kafka {KAFKA_VERSION}" for name in sorted(found.keys() - pins.keys())]
    for name in sorted(found.keys() & pins.keys()):
        with found[name].open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if digest != pins[name]:
            faults.append(f"{name} has the wrong checksum (sha256 {digest}, expected {pins[name]})")
    if faults:
        raise LocalStackError(f"The jars of Kafka are not what was tested: {'; '.join(faults)}. {remedy}")
    return jars


def _resolve(scratch: Path, folder: Path) -> list[Path]:
    if importlib.util.find_spec("jgo") is None:
        raise LocalStackError(
            "The package that fetches Kafka (jgo) is not installed. Install it with: pip install 'syncstore[local]', "
            f"or put the jars named in {PINS} into {folder} by hand."
        )
    from jgo.env import EnvironmentBuilder, LinkStrategy  # noqa: PLC0415 -- optional, and slow to import
    from jgo.maven import MavenContext  # noqa: PLC0415

    context = MavenContext(repo_cache=scratch / "repository")
    builder = EnvironmentBuilder(context=context, cache_dir=scratch, link_strategy=LinkStrategy.AUTO)
    try:
        builder.from_endpoint(ENDPOINT)
    except Exception as error:  # the resolver raises whatever its HTTP client and parsers raise
        raise LocalStackError(
            f"The jars of Kafka could not be fetched ({type(error).__name__}: {error}). Check the network and start "
            f"again, or put the jars named in {PINS} into {folder} by hand."
        ) from error
    return sorted((scratch / "envs").rglob("*.jar"))


def _made(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    return folder
