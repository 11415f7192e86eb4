import hashlib
import shutil
import sys
from pathlib import Path

import pytest

from infrastructure.local_stack.errors import LocalStackError
from infrastructure.local_stack.jars import KAFKA_VERSION, kafka_jars, pinned_jars, verify
from infrastructure.local_stack.stack import Condition, LocalStack, Part

PINS = {name: hashlib.sha256(name.encode()).hexdigest() for name in ("clients.jar", "server.jar")}


@pytest.fixture
def jars(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / name for name in sorted(PINS)]
    for path in paths:
        path.write_text(path.name)
    return paths


def test_jars_that_match_their_pins_are_accepted(jars: list[Path]) -> None:
    assert verify(jars, PINS, remedy="") == jars


def test_a_jar_with_another_content_is_refused_by_name(jars: list[Path]) -> None:
    jars[1].write_text("something else")

    with pytest.raises(LocalStackError, match=r"server\.jar has the wrong checksum .*Do that\.") as refusal:
        verify(jars, PINS, remedy="Do that.")
    assert "clients.jar" not in str(refusal.value)


def test_a_missing_jar_is_refused_by_name(jars: list[Path]) -> None:
    with pytest.raises(LocalStackError, match=r"clients\.jar is missing"):
        verify(jars[1:], PINS, remedy="")


def test_a_jar_too_many_is_refused_by_name(jars: list[Path], tmp_path: Path) -> None:
    stranger = tmp_path / "stranger.jar"
    stranger.touch()

    with pytest.raises(LocalStackError, match=r"stranger\.jar does not belong to Kafka"):
        verify([*jars, stranger], PINS, remedy="")


def test_every_pin_is_a_sha256_of_a_jar() -> None:
    pins = pinned_jars()

    assert f"kafka_2.13-{KAFKA_VERSION}.jar" in pins
    assert all(name.endswith(".jar") and len(bytes.fromhex(digest)) == 32 for name, digest in pins.items())


def test_kafka_is_not_started_with_a_jar_that_was_changed_in_the_cache(stack_folder: Path) -> None:
    cached = stack_folder / "jars" / f"kafka-{KAFKA_VERSION}"
    cached.mkdir(parents=True)
    (cached / f"kafka-clients-{KAFKA_VERSION}.jar").write_text("changed")
    stack = LocalStack(stack_folder)

    with pytest.raises(LocalStackError, match=rf"kafka-clients-{KAFKA_VERSION}\.jar has the wrong .*Delete {cached};"):
        stack.up([Part.KAFKA])
    assert stack.status().kafka.condition == Condition.STOPPED


def test_without_a_network_the_jars_are_named_as_not_to_be_had(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    env = pytest.importorskip("jgo.env")

    def unreachable(*_: object) -> None:
        raise ConnectionError("name resolution failed")

    monkeypatch.setattr(env.EnvironmentBuilder, "from_endpoint", unreachable)

    with pytest.raises(LocalStackError, match=r"could not be fetched .*resolution failed.*Check the network.*by hand"):
        kafka_jars(tmp_path, lambda _: None)
    assert not (tmp_path / "resolving").exists()
    assert not (tmp_path / f"kafka-{KAFKA_VERSION}").exists()


def test_a_resolver_that_brings_the_wrong_jars_fills_no_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    env = pytest.importorskip("jgo.env")

    def bring_one(*_: object) -> None:
        jars = tmp_path / "resolving" / "envs" / "jars"
        jars.mkdir(parents=True)
        (jars / "surprise.jar").touch()

    monkeypatch.setattr(env.EnvironmentBuilder, "from_endpoint", bring_one)

    with pytest.raises(LocalStackError, match=r"surprise\.jar does not belong"):
        kafka_jars(tmp_path, lambda _: None)
    assert not (tmp_path / f"kafka-{KAFKA_VERSION}").exists()


def test_a_missing_resolver_is_named_with_its_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jgo", None)

    with pytest.raises(LocalStackError, match=r"jgo.* is not installed.*pip install 'syncstore\[local\]'"):
        kafka_jars(tmp_path, lambda _: None)


def test_jars_put_there_by_hand_need_no_resolver(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jars: list[Path]
) -> None:
    monkeypatch.setitem(sys.modules, "jgo", None)
    monkeypatch.setattr("infrastructure.local_stack.jars.pinned_jars", lambda: PINS)
    by_hand = tmp_path / "cache" / f"kafka-{KAFKA_VERSION}"
    by_hand.mkdir(parents=True)
    for jar in jars:
        shutil.copy(jar, by_hand)

    assert [jar.name for jar in kafka_jars(tmp_path / "cache", lambda _: None)] == sorted(PINS)
