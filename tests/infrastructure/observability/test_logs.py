from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from infrastructure.observability.logs import configure_logs


@pytest.fixture(autouse=True)
def restored_logging() -> Iterator[None]:
    handlers, level = logging.getLogger().handlers[:], logging.getLogger().level
    yield
    logging.getLogger().handlers[:] = handlers
    logging.getLogger().setLevel(level)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def test_lines_are_json_with_the_part_and_without_secrets(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(level="info", form="json", part="push")
    structlog.get_logger().info("token_refreshed", shop_id=7, access_token="abc123")
    line = json.loads(capsys.readouterr().err)
    assert line["event"] == "token_refreshed"
    assert line["part"] == "push"
    assert line["shop_id"] == 7
    assert line["access_token"] == "[redacted]"


def test_library_warnings_take_the_same_shape(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(level="info", form="json", part="relay")
    logging.getLogger("aiokafka").warning("broker gone")
    assert json.loads(capsys.readouterr().err)["event"] == "broker gone"
