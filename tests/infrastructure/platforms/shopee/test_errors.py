from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.policies.retry import ErrorClass
from infrastructure.platforms.explanations import EXPLANATIONS
from infrastructure.platforms.shopee.errors import classify, classify_reason, normalise

NOW = datetime(2026, 11, 21, 15, 0, tzinfo=UTC)

NAMES = {
    ErrorClass.RATE: "error_rate_limit error_limit error_api_call_restricted",
    ErrorClass.AUTH_EXPIRED: "invalid_acceess_token invalid_access_token shop_access_expired merchant_access_expired",
    ErrorClass.AUTH_DEAD: (
        "error_shop_refresh_token error_merchant_refresh_token refresh_token_expired shop_no_linked "
        "partner_shop_no_link shop_banned api_suspended error_partner_key_expired invalid_partner_id invalid_code "
        "invalid_shop_id invalid_main_acount_id error_api_permission error_perm_non_admin source_ip_undeclared "
        "error_kyc_auth"
    ),
    ErrorClass.SIGN: "error_sign",
    ErrorClass.MISSING: (
        "error_item_not_found error_item_not_belong_shop error_param_shop_id_not_found "
        "error_item_or_variation_not_found error_model_invalid_model_id"
    ),
    ErrorClass.LOCKED: (
        "error_cannt_edit_price_in_promotion error_cannot_update_price_in_promotion "
        "error_in_item_promotion_item_price_lock error_slash_price_lock error_slash_price_anything "
        "error_cannt_edit_stock_in_promotion error_promotion_cantnot_update_stock "
        "error_model_update_stock_model_in_promotion error_cannt_unlisted_in_promotion "
        "error_cannt_delete_in_promotion error_holiday_mode_change_stock error_holiday_on_add_item "
        "error_seller_under_penalty error_item_uneditable error_busi_cannot_delist_reviewing_or_banned_item "
        "error_wms_shop_block_upate_stock error_busi_cannot_edit_vsku"
    ),
    ErrorClass.VALID: (
        "error_param error.param error_invalid_price error_price_exceed_min_limitt error_price_exceed_max_limitt "
        "error_price_out_of_range error_busi_price_lower_then_wholesale_price "
        "error_edit_item_price_for_item_has_model error_edit_item_stock_for_item_has_model error_name_length_limit "
        "error_item_name_is_too_short error_title_exceeds_max_length error_title_character_forbidden "
        "error_desc_length_min_limit error_desc_hash_tag_over_limit error_image_num_min error_image_unavailable "
        "error_invalid_category error_category_is_block error_less_required_attribute error_less_required_brand "
        "error_invalid_brand error_incalid_brand error_invalid_logistic_info error_invalid_price_for_logistic "
        "error_reach_shop_item_limit error_tier_var_too_many error_tier_opt_too_many error_tier_var_name_too_long "
        "error_tier_opt_val_too_long error_model_count_over_limit error_model_duplicate_tier_variation_index "
        "error_model_tier_index_bound error_query_over_itemid_size error_param_item_status error_update_time_range"
    ),
    ErrorClass.CONFLICT: "error_repeated_mtsku error_duplicated_brand",
    ErrorClass.SERVER: (
        "error_server error_network error_inner error_system_busy error_data error_get_shop_fail error_marshal "
        "error_unknown"
    ),
    ErrorClass.UNKNOWN: (
        "error_update_price_fail error_busi_update_stock_failed error_busi_add_item_failed "
        "error_busi_update_item_failed error_never_heard_of"
    ),
}

EVERY = [(name, error_class) for error_class, names in NAMES.items() for name in names.split()]


@pytest.mark.parametrize(("name", "error_class"), EVERY)
def test_every_documented_name_has_its_class_with_and_without_a_module_prefix(
    name: str, error_class: ErrorClass
) -> None:
    assert classify(name, "", now=NOW).error_class is error_class
    if name.startswith("error_"):
        assert classify(f"product.{name}", "", now=NOW).error_class is error_class


@pytest.mark.parametrize(
    ("name", "message", "error_class", "hint"),
    [
        ("error_auth", "Invalid access_token.", ErrorClass.AUTH_EXPIRED, "token_expired"),
        ("error_auth", "Your access_token has expired", ErrorClass.AUTH_EXPIRED, "token_expired"),
        ("error_auth", "Invalid refresh_token.", ErrorClass.AUTH_DEAD, "authorisation_lost"),
        ("error_auth", "Total stock must exceed the reserved stock", ErrorClass.VALID, "stock_below_reserved"),
        ("error_auth", "location_id is missing", ErrorClass.VALID, "stock_location"),
        ("error_auth", "Seller stock must be 0 for FBS shop", ErrorClass.VALID, "stock_location"),
        ("error_auth", "", ErrorClass.UNKNOWN, "unknown"),
        ("error_param", "Invalid timestamp.", ErrorClass.SIGN, "clock_or_signature"),
        ("error_param", "There is no sign in query.", ErrorClass.SIGN, "clock_or_signature"),
        ("error_param", "There is no partner_id in query.", ErrorClass.SIGN, "clock_or_signature"),
        ("error_param", "The information you queried is not found.", ErrorClass.MISSING, "listing_missing"),
        ("error_param", "Wrong model_id.", ErrorClass.MISSING, "listing_missing"),
        ("error_param", "Repeat model_id.", ErrorClass.VALID, "request_refused"),
        ("error_invalid_price", "Highest price is more than 7 times", ErrorClass.VALID, "price_spread"),
    ],
)
def test_overloaded_names_are_told_apart_by_their_message(
    name: str, message: str, error_class: ErrorClass, hint: str
) -> None:
    error = classify(name, message, now=NOW)
    assert (error.error_class, error.hint) == (error_class, hint)


def test_a_throttled_call_pauses_a_minute_unless_the_answer_says_otherwise() -> None:
    assert classify("error_rate_limit", "", now=NOW).retry_after == 60.0
    assert classify("error_rate_limit", "", now=NOW, retry_after=7.0).retry_after == 7.0


def test_a_spent_quota_lasts_until_midnight_in_singapore() -> None:
    assert classify("error_limit", "", now=NOW).retry_after == 3600.0


def test_names_are_normalised_only_where_a_module_stands_before_them() -> None:
    assert normalise("product.error_param") == "error_param"
    assert normalise("a.b.error_param") == "error_param"
    assert normalise("error.param") == "error_param"
    assert normalise("refresh_token_expired") == "refresh_token_expired"


@pytest.mark.parametrize(
    ("reason", "error_class"),
    [
        ("Wrong model_id.", ErrorClass.MISSING),
        ("Price cannot be edited while under promotion", ErrorClass.LOCKED),
        ("Total stock cannot be lower than the reserved stock.", ErrorClass.VALID),
        ("Shop is in holiday mode", ErrorClass.LOCKED),
        ("system busy, please try later", ErrorClass.SERVER),
        ("hm", ErrorClass.UNKNOWN),
    ],
)
def test_free_text_of_a_row_is_classified_by_what_it_speaks_of(reason: str, error_class: ErrorClass) -> None:
    assert classify_reason(reason).error_class is error_class


def test_a_row_whose_text_says_nothing_takes_the_class_of_the_whole_answer() -> None:
    whole = classify("error_cannt_edit_price_in_promotion", "", now=NOW)
    assert classify_reason("hm", whole).error_class is ErrorClass.LOCKED


@given(name=st.text(), message=st.text())
def test_any_error_is_classified_and_explained(name: str, message: str) -> None:
    error = classify(name, message, now=NOW)
    assert error.hint in EXPLANATIONS
    assert classify_reason(message, error).hint in EXPLANATIONS


@pytest.mark.parametrize("name", [name for name, _ in EVERY])
def test_every_documented_name_has_an_explanation(name: str) -> None:
    assert classify(name, "", now=NOW).hint in EXPLANATIONS
