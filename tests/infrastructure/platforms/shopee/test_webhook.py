import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infrastructure.platforms.hints import HintKind, ListingHint, PushMessage
from infrastructure.platforms.shopee.signing import sign_push
from infrastructure.platforms.shopee.webhook import PushRefused, receive, understand

URL = "https://sync.example.com/webhooks/shopee"
KEYS = ("partner-key", "push-key")
PRICE = (
    b'{"data":{"item_id":2400000123,"model_id":0,"old_value":150000,"new_value":145000,'
    b'"update_field":"original_price","update_time":1700000001},"shop_id":14701711,"code":22,"timestamp":1700000002}'
)


def signed(body: bytes, key: str = KEYS[0]) -> str:
    return sign_push(key=key, callback_url=URL, raw_body=body)


@pytest.mark.parametrize("key", KEYS)
def test_a_message_signed_with_either_key_is_a_hint_to_read_the_listing(key: str) -> None:
    message = receive(keys=KEYS, callback_url=URL, raw_body=PRICE, signature=signed(PRICE, key))
    assert message.hints == (ListingHint("2400000123", None, HintKind.PRICE),)
    assert (message.code, message.shop_id) == ("22", "14701711")


def test_numbers_may_come_as_text() -> None:
    body = b'{"code":"8","shop_id":"1","timestamp":"1700000000","data":{"item_id":"5","variation_id":"7"}}'
    message = understand(body)
    assert message.hints == (ListingHint("5", "7", HintKind.STOCK),)
    assert message.shop_id == "1"


def test_data_may_be_json_within_text() -> None:
    assert understand(b'{"code":22,"data":"{\\"item_id\\":5}"}').hints == (ListingHint("5", None, HintKind.PRICE),)
    assert understand(b'{"code":22,"data":"{"}').hints == (ListingHint(None, None, HintKind.PRICE),)


def test_an_order_hints_at_each_of_its_items() -> None:
    body = b'{"code":3,"data":{"ordersn":"A","items":[{"item_id":1,"model_id":2},{"item_id":3}]}}'
    assert understand(body).hints == (ListingHint("1", "2", HintKind.ORDER), ListingHint("3", None, HintKind.ORDER))


@pytest.mark.parametrize("signature", ["", "0" * 64, signed(PRICE, "stolen"), "Bearer " + signed(PRICE), "é\ud800"])
def test_another_signature_is_refused(signature: str) -> None:
    with pytest.raises(PushRefused) as refusal:
        receive(keys=KEYS, callback_url=URL, raw_body=PRICE, signature=signature)
    assert not refusal.value.genuine


def test_a_repetition_has_the_same_key_and_another_edit_in_the_same_second_another() -> None:
    repeated = PRICE.replace(b'"timestamp":1700000002', b'"timestamp":1700000302')
    edited = PRICE.replace(b"145000", b"140000")
    assert understand(PRICE).key == understand(repeated).key
    assert understand(PRICE).key != understand(edited).key


def test_a_message_id_is_the_key_where_there_is_one() -> None:
    assert understand(b'{"code":1,"msg_id":"abc","data":{}}').key == "msg-abc"


def test_content_without_an_update_time_is_told_apart_by_the_sending_time() -> None:
    first = understand(b'{"code":5,"timestamp":1,"data":{"actions":[]}}')
    second = understand(b'{"code":5,"timestamp":2,"data":{"actions":[]}}')
    assert first.key != second.key


def attempt(body: bytes) -> PushMessage | PushRefused:
    try:
        return receive(keys=KEYS, callback_url=URL, raw_body=body, signature=signed(body))
    except PushRefused as refusal:
        return refusal


@given(body=st.binary(), signature=st.text())
def test_any_bytes_are_refused_without_a_signature(body: bytes, signature: str) -> None:
    with pytest.raises(PushRefused) as refusal:
        receive(keys=KEYS, callback_url=URL, raw_body=body, signature=signature)
    assert not refusal.value.genuine


@given(body=st.binary() | st.builds(msgspec.json.encode, st.dictionaries(st.text(), st.integers() | st.text())))
def test_any_signed_bytes_are_understood_or_refused_as_no_message(body: bytes) -> None:
    outcome = attempt(body)
    assert outcome.genuine if isinstance(outcome, PushRefused) else outcome.key


data = st.dictionaries(
    st.sampled_from(["item_id", "model_id", "variation_id", "items", "update_time", "x"]),
    st.none() | st.integers() | st.text(max_size=4) | st.lists(st.dictionaries(st.just("item_id"), st.integers())),
)


@given(data=data, code=st.integers(), shop=st.integers(), stamp=st.integers())
def test_any_envelope_gives_at_least_one_hint(data: object, code: int, shop: int, stamp: int) -> None:
    body = msgspec.json.encode({"code": code, "shop_id": shop, "timestamp": stamp, "data": data})
    outcome = attempt(body)
    assert outcome.genuine if isinstance(outcome, PushRefused) else outcome.hints
