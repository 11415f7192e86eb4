"""What is in the way, in a seller's words."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from domain.values import Platform
from infrastructure.platforms.explanations import Explanation, explain
from infrastructure.platforms.registry import explanation_of
from projections.set_aside import SetAside


class Explained(Struct, frozen=True, kw_only=True):
    """What a code means and what to do about it, in Indonesian and in English."""

    id: Annotated[
        str, Meta(examples=["Harga ditahan: produk sedang promosi. Tidak perlu tindakan; dikirim lagi otomatis."])
    ]
    en: Annotated[
        str, Meta(examples=["Price held: the product is in a promotion. Nothing to do; it is sent again by itself."])
    ]


class SetAsideView(Struct, frozen=True, kw_only=True):
    """A part of the system that takes up nothing more of a product until an operator releases it: what it shows, or
    pushes, is as of `since`. `waiting` counts events.
    """

    by: Annotated[str, Meta(examples=["projections"])]
    waiting: int
    since: datetime
    explanation: Explained


def explained(platform: Platform, code: str, message: str) -> Explained:
    """Of a listing's code, ours or the platform's."""
    return _words_of(explanation_of(platform, code, message))


def set_aside_views(parts: Iterable[SetAside]) -> tuple[SetAsideView, ...]:
    words = _words_of(explain("set_aside"))
    return tuple(SetAsideView(by=part.by, waiting=part.waiting, since=part.since, explanation=words) for part in parts)


def _words_of(found: Explanation) -> Explained:
    return Explained(id=f"{found.meaning_id} {found.remedy_id}", en=f"{found.meaning_en} {found.remedy_en}")
