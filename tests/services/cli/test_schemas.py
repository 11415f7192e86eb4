"""`syncstore schemas` needs no installation: it prints what this version promises."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner, Result

from infrastructure.kafka.schemas import event_schemas
from services.cli.main import main


def schemas(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["schemas", *arguments], env={"SYNCSTORE_DATABASE_URL": None})


def test_all_schemas_are_printed_by_type_and_version() -> None:
    assert json.loads(schemas().output) == json.loads(json.dumps(event_schemas()))


@pytest.mark.parametrize("asked", ["stock.counted", "stock.counted/1"])
def test_one_type_is_printed_with_or_without_its_version(asked: str) -> None:
    assert json.loads(schemas(asked).output)["$id"] == "urn:syncstore:stock.counted:1"


def test_the_document_of_the_topics_is_printed() -> None:
    document = json.loads(schemas("--asyncapi").output)
    assert (document["asyncapi"], "syncstore.stock" in document["channels"]) == ("3.0.0", True)


@pytest.mark.parametrize("unknown", ["stock.vanished", "stock.counted/2"])
def test_an_unknown_type_is_answered_with_those_there_are(unknown: str) -> None:
    refused = schemas(unknown)
    assert refused.exit_code == 1
    assert f"there is no schema {unknown}" in refused.output
    assert "stock.counted/1" in refused.output


def test_a_type_and_the_document_cannot_be_asked_for_at_once() -> None:
    refused = schemas("--asyncapi", "stock.counted")
    assert refused.exit_code == 2
    assert "give it or a TYPE" in refused.output
