"""Shopee's refusals by name and by message, and which of our error classes each belongs to.

Names come in spelling variants. Two are overloaded (`error_auth` carries stock rules on product calls, `error_param`
unknown ids and clock errors), so for these the message decides.
"""

from __future__ import annotations

import re
from typing import Final

from domain.policies.retry import ErrorClass as E

Verdict = tuple[E, str]
"""A class and the key of its explanation."""

Patterns = tuple[tuple[re.Pattern[str], Verdict], ...]

BY_NAME: Final[dict[str, Verdict]] = {
    **dict.fromkeys(("error_rate_limit", "error_api_call_restricted"), (E.RATE, "rate_limited")),
    "error_limit": (E.RATE, "quota_spent"),
    **dict.fromkeys(
        ("invalid_acceess_token", "invalid_access_token", "shop_access_expired", "merchant_access_expired"),
        (E.AUTH_EXPIRED, "token_expired"),
    ),
    **dict.fromkeys(
        (
            "error_shop_refresh_token",
            "error_merchant_refresh_token",
            "refresh_token_expired",
            "shop_no_linked",
            "partner_shop_no_link",
            "shop_banned",
            "api_suspended",
            "error_partner_key_expired",
            "invalid_partner_id",
            "invalid_code",
            "invalid_shop_id",
            "invalid_main_acount_id",
        ),
        (E.AUTH_DEAD, "authorisation_lost"),
    ),
    **dict.fromkeys(
        ("error_api_permission", "error_perm_non_admin", "source_ip_undeclared", "error_kyc_auth"),
        (E.AUTH_DEAD, "permission_missing"),
    ),
    "error_sign": (E.SIGN, "signature_refused"),
    **dict.fromkeys(
        (
            "error_item_not_found",
            "error_item_not_belong_shop",
            "error_param_shop_id_not_found",
            "error_item_or_variation_not_found",
            "error_model_invalid_model_id",
        ),
        (E.MISSING, "listing_missing"),
    ),
    **dict.fromkeys(
        (
            "error_cannt_edit_price_in_promotion",
            "error_cannot_update_price_in_promotion",
            "error_in_item_promotion_item_price_lock",
        ),
        (E.LOCKED, "promotion_locks_price"),
    ),
    **dict.fromkeys(
        (
            "error_cannt_edit_stock_in_promotion",
            "error_promotion_cantnot_update_stock",
            "error_model_update_stock_model_in_promotion",
        ),
        (E.LOCKED, "promotion_locks_stock"),
    ),
    **dict.fromkeys(
        ("error_cannt_unlisted_in_promotion", "error_cannt_delete_in_promotion"), (E.LOCKED, "promotion_locks_listing")
    ),
    **dict.fromkeys(("error_holiday_mode_change_stock", "error_holiday_on_add_item"), (E.LOCKED, "holiday_mode")),
    "error_seller_under_penalty": (E.LOCKED, "seller_penalty"),
    **dict.fromkeys(
        ("error_item_uneditable", "error_busi_cannot_delist_reviewing_or_banned_item"), (E.LOCKED, "under_review")
    ),
    **dict.fromkeys(("error_wms_shop_block_upate_stock", "error_busi_cannot_edit_vsku"), (E.LOCKED, "platform_stock")),
    **dict.fromkeys(
        (
            "error_invalid_price",
            "error_price_exceed_min_limitt",
            "error_price_exceed_max_limitt",
            "error_price_out_of_range",
            "error_busi_price_lower_then_wholesale_price",
            "error_invalid_price_for_logistic",
        ),
        (E.VALID, "price_refused"),
    ),
    **dict.fromkeys(
        ("error_edit_item_price_for_item_has_model", "error_edit_item_stock_for_item_has_model"),
        (E.VALID, "variants_expected"),
    ),
    **dict.fromkeys(
        (
            "error_name_length_limit",
            "error_item_name_is_too_short",
            "error_title_exceeds_max_length",
            "error_title_character_forbidden",
        ),
        (E.VALID, "title_refused"),
    ),
    **dict.fromkeys(
        ("error_desc_length_min_limit", "error_desc_hash_tag_over_limit"), (E.VALID, "description_refused")
    ),
    **dict.fromkeys(("error_image_num_min", "error_image_unavailable"), (E.VALID, "image_refused")),
    **dict.fromkeys(
        (
            "error_invalid_category",
            "error_category_is_block",
            "error_less_required_attribute",
            "error_less_required_brand",
            "error_invalid_brand",
            "error_incalid_brand",
        ),
        (E.VALID, "category_refused"),
    ),
    "error_invalid_logistic_info": (E.VALID, "shipping_refused"),
    "error_reach_shop_item_limit": (E.VALID, "shop_full"),
    **dict.fromkeys(
        (
            "error_tier_var_too_many",
            "error_tier_opt_too_many",
            "error_tier_var_name_too_long",
            "error_tier_opt_val_too_long",
            "error_model_count_over_limit",
            "error_model_duplicate_tier_variation_index",
            "error_model_tier_index_bound",
        ),
        (E.VALID, "variants_refused"),
    ),
    **dict.fromkeys(
        ("error_query_over_itemid_size", "error_param_item_status", "error_update_time_range"),
        (E.VALID, "request_refused"),
    ),
    **dict.fromkeys(("error_repeated_mtsku", "error_duplicated_brand"), (E.CONFLICT, "duplicate")),
    **dict.fromkeys(
        (
            "error_server",
            "error_network",
            "error_inner",
            "error_system_busy",
            "error_data",
            "error_get_shop_fail",
            "error_marshal",
            "error_unknown",
        ),
        (E.SERVER, "platform_failing"),
    ),
    # Their text says "try later" even when the listing is gone for good, so they get one more try and a read.
    **dict.fromkeys(
        (
            "error_update_price_fail",
            "error_busi_update_stock_failed",
            "error_busi_add_item_failed",
            "error_busi_update_item_failed",
        ),
        (E.UNKNOWN, "reread_listing"),
    ),
}

BY_PREFIX: Final[tuple[tuple[str, Verdict], ...]] = (("error_slash_price_", (E.LOCKED, "promotion_locks_price")),)

AUTH_MESSAGES: Final[Patterns] = (
    (re.compile(r"refresh[_ ]?token", re.IGNORECASE), (E.AUTH_DEAD, "authorisation_lost")),
    (re.compile(r"reserved", re.IGNORECASE), (E.VALID, "stock_below_reserved")),
    (re.compile(r"location|fulfil|warehouse|seller.?stock", re.IGNORECASE), (E.VALID, "stock_location")),
    (re.compile(r"access[_ ]?token|token.*(expired|invalid)", re.IGNORECASE), (E.AUTH_EXPIRED, "token_expired")),
    (re.compile(r"stock", re.IGNORECASE), (E.VALID, "stock_refused")),
)

PARAM_MESSAGES: Final[Patterns] = (
    (re.compile(r"timestamp|\bsign\b|partner_id", re.IGNORECASE), (E.SIGN, "clock_or_signature")),
    (re.compile(r"not found|wrong model_?id|wrong item_?id", re.IGNORECASE), (E.MISSING, "listing_missing")),
)

SPREAD: Final[Patterns] = ((re.compile(r"times|ratio|highest|lowest", re.IGNORECASE), (E.VALID, "price_spread")),)

REASONS: Final[Patterns] = (
    (
        re.compile(r"wrong model|model.*(not found|invalid|not exist)|item.*not found", re.IGNORECASE),
        (E.MISSING, "variant_missing"),
    ),
    (re.compile(r"stock.*promotion|promotion.*stock", re.IGNORECASE), (E.LOCKED, "promotion_locks_stock")),
    (re.compile(r"promotion|campaign|flash sale", re.IGNORECASE), (E.LOCKED, "promotion_locks_price")),
    (re.compile(r"holiday", re.IGNORECASE), (E.LOCKED, "holiday_mode")),
    (re.compile(r"penalty", re.IGNORECASE), (E.LOCKED, "seller_penalty")),
    (re.compile(r"review|banned", re.IGNORECASE), (E.LOCKED, "under_review")),
    (re.compile(r"reserved", re.IGNORECASE), (E.VALID, "stock_below_reserved")),
    *SPREAD,
    (re.compile(r"price", re.IGNORECASE), (E.VALID, "price_refused")),
    (re.compile(r"stock", re.IGNORECASE), (E.VALID, "stock_refused")),
    (re.compile(r"busy|try again|try later|timeout|internal", re.IGNORECASE), (E.SERVER, "platform_failing")),
)
