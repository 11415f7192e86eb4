from collections.abc import Callable
from typing import Any

import pytest

from infrastructure.platforms.shopee import signing

Vector = dict[str, Any]


def shopee(vector: Vector) -> None:
    given = vector["inputs"]
    if vector["purpose"] == "webhook":
        url, body = given["callback_url"], given["raw_body"].encode()
        key = given["partner_key"]
        assert signing.sign_push(key=key, callback_url=url, raw_body=body) == vector["expected"]

        def genuine(signature: str) -> bool:
            return signing.push_is_genuine(
                keys=["another key", key], callback_url=url, raw_body=body, signature=signature
            )

        assert genuine(vector["expected"])
        for forged in vector.get("must_reject", []):
            assert not genuine(forged["signature"]), forged["change"]
        return
    identity = {name: given[name] for name in ("partner_id", "partner_key", "path", "timestamp")}
    match given["kind"]:
        case "public":
            made = signing.sign_public(**identity)
        case "shop":
            made = signing.sign_shop(**identity, access_token=given["access_token"], shop_id=given["shop_id"])
        case kind:
            pytest.fail(f"no signature of the kind {kind}")
    assert made == vector["expected"]


CHECKS: dict[str, Callable[[Vector], None]] = {"shopee": shopee}


def test_signatures_are_those_of_the_published_examples(signature_vector: Vector) -> None:
    platform = signature_vector["platform"]
    if platform not in CHECKS:
        pytest.skip(f"there is no connector for {platform} yet")
    CHECKS[platform](signature_vector)
