"""One stored event of each type, every field of it filled: what the golden files hold."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from domain.connection import events as connection
from domain.events import DomainEvent
from domain.listing import events as listing
from domain.listing.events import ChangedField, ExternalVariant, FieldGroup
from domain.policies.conflict_policy import (
    ConflictPolicy,
    Manual,
    OrderedRules,
    PlatformPriority,
    Rule,
    Theirs,
    Winner,
)
from domain.policies.pricing_rule import Fees, FeeStack, GrossUp, Markup, PricingRule, Rounding
from domain.policies.retry import ErrorClass
from domain.product import events as product
from domain.stock import events as stock
from domain.values import Dimensions, Image, Option, Platform, ProductStatus, Variant

AT: Final = datetime(2026, 3, 1, 10, 0, 3, 250_000, tzinfo=UTC)
_VARIANT: Final = Variant(
    sku="BTK-PRG-CKL-L", options=(Option("Warna", "Cokelat"), Option("Ukuran", "L")), base_price=195_000
)
_FOLLOWER: Final = Variant(sku="BTK-PRG-HTM-M", options=(Option("Warna", "Hitam"), Option("Ukuran", "M")))
_IMAGES: Final = (Image("https://images.example/1.jpg", "Depan", primary=True), Image("https://images.example/2.jpg"))
_DIMENSIONS: Final = Dimensions(
    weight_kg=Decimal("0.320"), length_cm=Decimal("30.00"), width_cm=Decimal(24), height_cm=Decimal("3.5")
)
_MARKUP: Final = PricingRule(
    rule_id="default-shopee",
    version=1,
    strategy=Markup(factor=Decimal("1.15")),
    fees=Fees(platform_percent=Decimal(15), payment_percent=Decimal("2.9")),
)
_STACK: Final = PricingRule(
    rule_id="default-shopee", version=2, strategy=FeeStack(shipping=9_000), fees=_MARKUP.fees, ending=900
)
_GROSS_UP: Final = PricingRule(
    rule_id="default-shopee", version=3, strategy=GrossUp(rounding=Rounding.CEILING), fees=_MARKUP.fees
)
_POLICY: Final = ConflictPolicy(policy_id="default", version=1)
_RULES: Final = OrderedRules(
    rules=(
        Rule(
            name="small raises stay",
            winner=Winner.PLATFORM,
            groups=(FieldGroup.OFFER,),
            platforms=(Platform.SHOPEE,),
            observed_by=("seller centre",),
            theirs=Theirs.HIGHER,
            difference_at_most_percent=5,
        ),
    )
)
_CHANGES: Final = (
    ChangedField(field="price:BTK-PRG-CKL-L", old=217_350, new=224_250),
    ChangedField(field="images", old=None, new=("https://images.example/1.jpg",)),
    ChangedField(field="listed", old=True, new=False),
    ChangedField(field="title", old="Kemeja", new="Kemeja Batik"),
)
_SKU: Final = {"product_id": "p-1", "sku": "BTK-PRG-CKL-L", "warehouse": "JKT"}

SAMPLES: Final[tuple[DomainEvent, ...]] = (
    product.ProductCreated(
        product_id="p-1",
        sku="BTK-PRG",
        name="Kemeja Batik",
        base_price=189_000,
        cost_price=121_000,
        short_description="Batik parang",
        description="Katun primisima\nCuci dengan tangan",
        dimensions=_DIMENSIONS,
        category="Fashion Pria",
        subcategory="Kemeja",
        tags=("batik", "kemeja pria"),
        images=_IMAGES,
        variants=(_VARIANT, _FOLLOWER),
        status=ProductStatus.INACTIVE,
    ),
    product.ProductRenamed(old="Kemeja", new="Kemeja Batik"),
    product.ProductDescribed(
        old=product.Texts(), new=product.Texts(short_description="Batik", description="Katun primisima")
    ),
    product.BasePriceChanged(old=189_000, new=199_000),
    product.CostPriceChanged(old=None, new=121_000),
    product.DimensionsChanged(old=Dimensions(), new=_DIMENSIONS),
    product.ProductCategorised(old=product.Shelf(), new=product.Shelf(category="Fashion", subcategory="Kemeja")),
    product.ProductTagged(old=(), new=("batik",)),
    product.ImagesChanged(old=(), new=_IMAGES),
    product.VariantAdded(variant=_VARIANT),
    product.VariantChanged(old=_VARIANT, new=Variant(sku=_VARIANT.sku, options=_VARIANT.options)),
    product.VariantRemoved(variant=_FOLLOWER),
    product.PlatformOverrideChanged(
        platform=Platform.SHOPEE,
        old=product.Override(),
        new=product.Override(name="Batik", description="Lain", prices=(("BTK-PRG-CKL-L", 250_000),)),
    ),
    product.ProductActivated(old=ProductStatus.INACTIVE),
    product.ProductDeactivated(old=ProductStatus.ACTIVE),
    product.ProductArchived(old=ProductStatus.ACTIVE, reason="tidak dijual lagi"),
    product.ProductRestored(new=ProductStatus.ACTIVE),
    stock.StockReceived(**_SKU, quantity=10, at=AT, on_hand_before=3, on_hand_after=13, reason="import"),
    stock.StockCounted(**_SKU, counted=12, as_of=AT, on_hand_before=13, on_hand_after=12, reason="opname"),
    stock.StockAdjusted(**_SKU, delta=-2, at=AT, on_hand_before=12, on_hand_after=10, reason="rusak"),
    listing.ListingOpened(listing_id="l-1", product_id="p-1", connection_id="SHP-ID-01", platform=Platform.SHOPEE),
    listing.ListingLinked(
        external_id="9001",
        variants=(ExternalVariant("BTK-PRG-CKL-L", "77"), ExternalVariant("BTK-PRG-HTM-M", None)),
        created=True,
        reason="created",
    ),
    listing.ListingUnlinked(external_id="9001", reason="wrong item"),
    listing.DesiredChanged(
        changes=_CHANGES,
        cause="product.base-price-changed",
        changed_at=AT,
        changed_by="sari",
        pricing_rule="default-shopee",
        pricing_rule_version=1,
    ),
    listing.ShadowObserved(changes=_CHANGES, observed_at=AT, source="push", by="platform"),
    listing.PushConfirmed(changes=_CHANGES, confirmed_at=AT, skipped=2, latency_ms=231),
    listing.PushRefused(
        fields=("price:BTK-PRG-CKL-L",), error_class=ErrorClass.VALID, code="ratio", message="too dear", attempts=1
    ),
    listing.PushHeld(fields=("price:BTK-PRG-CKL-L",), code="promotion", reason="promo", recheck_at=AT),
    listing.HoldReleased(fields=("price:BTK-PRG-CKL-L",), reason="promotion ended"),
    listing.ReviewStarted(group=FieldGroup.CONTENT, reason="audit"),
    listing.ReviewEnded(group=FieldGroup.CONTENT, approved=False, reason="forbidden word"),
    listing.ListingPaused(reason="stocktaking"),
    listing.ListingResumed(reason="done"),
    listing.ConflictDetected(
        conflict_id="c-1",
        field="price:BTK-PRG-CKL-L",
        ours=224_250,
        theirs=210_000,
        confirmed=217_350,
        ours_at=AT,
        theirs_at=AT,
        ours_by="sari",
        theirs_by="seller centre",
        reason="both moved",
        strategy="timestamp",
        policy="default",
        policy_version=2,
    ),
    listing.ConflictResolved(
        conflict_id="c-1",
        field="price:BTK-PRG-CKL-L",
        outcome="theirs",
        value=210_000,
        reason="latest wins",
        by="policy",
        strategy="timestamp",
        policy="default",
        policy_version=2,
    ),
    listing.DriftFound(
        field="title",
        ours="Kemeja Batik",
        theirs="Kemeja",
        theirs_at=AT,
        theirs_by="platform",
        outcome="ours",
        reason="only theirs moved",
        strategy="timestamp",
        policy="default",
        policy_version=2,
    ),
    listing.OverrideKept(field="price:BTK-PRG-CKL-L", old=None, new=210_000, reason="latest wins"),
    connection.ConnectionOpened(
        connection_id="SHP-ID-01",
        platform=Platform.SHOPEE,
        shop_id="77",
        label="Toko Nusantara",
        pricing_rule=_MARKUP,
        conflict_policy=_POLICY,
        warehouses=("JKT", "SBY"),
        categories=(("Fashion Pria", "100047"), ("", "100001")),
    ),
    connection.PricingRuleChanged(old=_STACK, new=_GROSS_UP),
    connection.ConflictPolicyChanged(
        old=_POLICY,
        new=ConflictPolicy(
            policy_id="default",
            version=2,
            offer=_RULES,
            stock=PlatformPriority(order=("master", "shopee")),
            content=Manual(),
        ),
    ),
    connection.CategoriesChanged(old=(), new=(("Fashion Pria", "100047"), ("", "100001"))),
    connection.ConnectionPaused(reason="authorisation lost", needs_person=True),
    connection.ConnectionResumed(reason="authorised again"),
)
