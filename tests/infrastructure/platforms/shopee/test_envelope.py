from datetime import UTC, datetime
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.policies.retry import ErrorClass
from infrastructure.platforms.connector import PlatformCallFailed
from infrastructure.platforms.shopee import mapping, rows, wire
from infrastructure.platforms.shopee.envelope import parse, read_answer

NOW = datetime(2026, 11, 21, tzinfo=UTC)

SHAPES = (
    wire.ItemList,
    wire.ItemInfos,
    wire.ModelList,
    wire.SearchResult,
    wire.RowLists,
    wire.Uploads,
    rows.Echo,
)

DETAIL = (
    b'{"error":"","message":"","warning":"","request_id":"a2","response":{"item_list":[{"item_id":2400000123,'
    b'"category_id":100017,"item_name":"Kemeja Batik","description":"...","item_sku":"BATIK","create_time":1690000000,'
    b'"update_time":1700000000,"price_info":[{"currency":"IDR","original_price":150000.00,"current_price":150000,'
    b'"inflated_price_of_original_price":166500}],"image":{"image_url_list":["https://x/1.jpg"],"image_id_list":["sg-1"]},'
    b'"weight":"0.300","item_status":"NORMAL","has_model":false,"stock_info_v2":{"summary_info":{"total_reserved_stock":1,'
    b'"total_available_stock":24},"seller_stock":[{"location_id":"IDZ","stock":25,"if_saleable":true}]}}]}}'
)


@pytest.mark.parametrize(
    ("status", "headers", "body", "error_class", "code"),
    [
        (200, {}, b"<html>Maintenance</html>", ErrorClass.SERVER, "malformed_answer"),
        (200, {}, b"", ErrorClass.SERVER, "malformed_answer"),
        (500, {}, b"oops", ErrorClass.SERVER, "http_500"),
        (502, {}, b"<html>Bad Gateway</html>", ErrorClass.SERVER, "http_502"),
        (503, {}, b'{"error":"error_new_name"}', ErrorClass.SERVER, "http_503"),
        (429, {}, b"slow down", ErrorClass.RATE, "http_429"),
        (429, {}, b'{"error":"error_rate_limit"}', ErrorClass.RATE, "error_rate_limit"),
        (429, {}, b'{"error":""}', ErrorClass.RATE, "http_429"),
        (403, {}, b"<html>Forbidden</html>", ErrorClass.AUTH_DEAD, "http_403"),
        (403, {}, b'{"error":"error_auth","message":"Invalid access_token."}', ErrorClass.AUTH_EXPIRED, "error_auth"),
        (404, {}, b"", ErrorClass.UNKNOWN, "http_404"),
        (408, {}, b"", ErrorClass.NETWORK, "http_408"),
        (302, {}, b"", ErrorClass.UNKNOWN, "http_302"),
        (200, {}, b'{"error":"product.error_param","message":"x"}', ErrorClass.VALID, "error_param"),
    ],
)
def test_answers_that_are_no_success_are_classified(
    status: int, headers: dict[str, str], body: bytes, error_class: ErrorClass, code: str
) -> None:
    error = read_answer(status, headers, body, NOW).error
    assert error is not None
    assert (error.error_class, error.code) == (error_class, code)


@pytest.mark.parametrize(("value", "seconds"), [("7", 7.0), ("Fri, 31 Dec 1999 23:59:59 GMT", 60.0), ("-1", 60.0)])
def test_retry_after_counts_when_it_is_a_number(value: str, seconds: float) -> None:
    error = read_answer(429, {"retry-after": value}, b"", NOW).error
    assert error is not None
    assert error.retry_after == seconds


def test_row_lists_are_kept_when_the_answer_is_an_error() -> None:
    body = b'{"error":"error_busi_update_stock_failed","response":{"success_list":[{"model_id":11,"stock":25}]}}'
    answer = read_answer(200, {}, body, NOW)
    assert answer.error is not None
    (row,) = rows.row_lists(answer).success_list or []
    assert (row.model_id, row.stock) == (11, 25)


def test_a_detail_becomes_a_listing_with_whole_rupiah_and_the_sellers_own_price() -> None:
    answer = read_answer(200, {}, DETAIL, NOW)
    (item,) = parse(answer.response, wire.ItemInfos).item_list or []
    listing = mapping.listing(item, None)
    (variant,) = listing.variants
    assert (variant.external_id, variant.sku, variant.price, variant.stock, variant.reserved) == (
        None,
        "BATIK",
        150_000,
        25,
        1,
    )
    assert type(variant.price) is int
    assert listing.weight_kg == Decimal("0.300")
    assert listing.updated_at == datetime.fromtimestamp(1_700_000_000, UTC)


@given(st.decimals(min_value=0, max_value=10**12, places=3, allow_nan=False))
def test_prices_are_rounded_half_up_without_ever_being_a_float(price: Decimal) -> None:
    body = msgspec.json.Encoder(decimal_format="number").encode({"original_price": price})
    read = parse(body, wire.PriceInfo).original_price
    assert type(read) is Decimal
    assert read == price
    assert mapping.rupiah(read) == int(price + Decimal("0.5"))


@given(status=st.integers(100, 599), body=st.binary())
def test_any_bytes_are_understood_or_classified(status: int, body: bytes) -> None:
    answer = read_answer(status, {}, body, NOW)
    assert answer.error is not None or answer.response


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["item_list", "model", "item"]), inner),
    max_leaves=8,
)


def attempt(raw: bytes, shape: type) -> object:
    try:
        return parse(raw, shape)
    except PlatformCallFailed as failure:
        return failure.error.error_class


@given(content=json_values, shape=st.sampled_from(SHAPES))
def test_content_of_another_shape_is_a_failing_platform_not_a_crash(content: object, shape: type) -> None:
    outcome = attempt(msgspec.json.encode(content), shape)
    assert isinstance(outcome, shape) or outcome is ErrorClass.SERVER
