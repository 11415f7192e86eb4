"""Whatever can keep a listing back is explained, in both languages, with what to do."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from domain.values import Platform
from infrastructure.platforms.explanations import EXPLANATIONS, HINTS, explain, hint_of
from infrastructure.platforms.registry import explanation_of
from infrastructure.platforms.shopee import errors as shopee_errors
from services.consumers.creating import CATEGORY_UNKNOWN
from tests.infrastructure.platforms.shopee.test_errors import EVERY

REPOSITORY = Path(__file__).parents[3]
PRODUCERS = ("domain/listing", "services/consumers", "infrastructure/platforms")
CODE = re.compile(r"[a-z]\w*[a-z0-9]")
NEVER_IN_THE_WAY = {"images_left_out", "price_under_fee_stack_minimum"}
"""Warnings: the value is sent nevertheless."""


def written(keyword: str) -> Iterator[str]:
    """Every string that the code gives as this keyword where listings are pushed."""
    files = (path for folder in PRODUCERS for path in (REPOSITORY / folder).rglob("*.py"))
    for path in files:
        if path.name == "in_memory.py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.keyword) and node.arg == keyword:
                yield from (
                    part.value
                    for part in ast.walk(node.value)
                    if isinstance(part, ast.Constant)
                    and isinstance(part.value, str)
                    and re.fullmatch(r"[a-z]\w*[a-z0-9]", part.value)
                )


CODES = sorted({*written("code"), "price_clamped", "price_guarded", "timeout", "no_answer", CATEGORY_UNKNOWN})


def test_the_codes_that_are_looked_at_are_all_there() -> None:
    assert {"price_unavailable", "price_not_allowed", "conflict", "paused", "no_proof", "not_ready"} <= set(CODES)
    assert len(CODES) >= 20


@pytest.mark.parametrize("code", [code for code in CODES if code not in NEVER_IN_THE_WAY])
def test_every_code_of_ours_has_an_explanation(code: str) -> None:
    assert hint_of(code) in EXPLANATIONS
    assert code == "failed_reason" or hint_of(code) != "unknown"


@pytest.mark.parametrize("hint", sorted({*written("hint"), *HINTS.values()}))
def test_every_hint_has_an_explanation(hint: str) -> None:
    assert hint in EXPLANATIONS


@pytest.mark.parametrize("name", sorted({name for name, _ in EVERY}))
def test_every_name_of_a_shopee_error_has_an_explanation(name: str) -> None:
    hint = shopee_errors.hint_of(shopee_errors.normalise(name), "")
    assert hint in EXPLANATIONS
    assert name == "error_never_heard_of" or hint != "unknown"


@pytest.mark.parametrize("hint", sorted(EXPLANATIONS))
def test_an_explanation_says_what_is_and_what_to_do_in_both_languages(hint: str) -> None:
    found = explain(hint)
    for text in (found.meaning_id, found.remedy_id, found.meaning_en, found.remedy_en):
        assert text.endswith(".")
        assert text[0].isupper()
    assert found.meaning_id != found.meaning_en


@pytest.mark.parametrize(
    ("code", "message", "hint"),
    [
        ("error_cannt_edit_price_in_promotion", "", "promotion_locks_price"),
        ("error_param", "invalid timestamp", "clock_or_signature"),
        ("error_update_price_fail", "Item is in promotion", "promotion_locks_price"),
        ("error_busi_update_stock_failed", "please try later", "platform_failing"),
        ("error_update_price_fail", "", "reread_listing"),
        ("http_502", "", "platform_failing"),
        ("http_429", "", "rate_limited"),
        ("failed_reason", "the reserved stock is larger", "stock_below_reserved"),
        ("never heard of", "", "unknown"),
    ],
)
def test_a_kept_code_is_explained_with_its_message(code: str, message: str, hint: str) -> None:
    assert explanation_of(Platform.SHOPEE, code, message) == EXPLANATIONS[hint]


def test_a_platform_without_a_connector_has_the_general_explanations() -> None:
    assert explanation_of(Platform.LAZADA, "price_guarded", "") == EXPLANATIONS["price_guarded"]
    assert explanation_of(Platform.LAZADA, "error_param", "") == EXPLANATIONS["unknown"]
