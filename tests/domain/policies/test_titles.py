from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.policies.titles import TitleVerdict, check_title, is_duplicate, normalise, similarity

BATIK = "Kemeja Batik Pria Lengan Panjang Motif Parang Katun"
DRONE = "Frame Racing Drone 5 Inch Carbon Fiber"


@pytest.mark.parametrize(
    ("master", "candidate", "counts", "ratio", "verdict"),
    [
        (BATIK, "Kemeja Batik Pria Lengan Panjang Parang Premium Adem", (8, 8, 6), "0.75", TitleVerdict.ACCEPTED),
        (BATIK, "Batik Pria Lengan Panjang Motif Parang Slimfit Original", (8, 8, 6), "0.75", TitleVerdict.ACCEPTED),
        (BATIK, f"{BATIK} Premium Original", (8, 10, 8), "0.8889", TitleVerdict.TOO_SIMILAR),
        (
            BATIK,
            "KEMEJA BATIK PRIA - Lengan Panjang, Motif Parang (Katun)",
            (8, 8, 8),
            "1.0",
            TitleVerdict.DUPLICATE,
        ),
        (
            BATIK,
            "Kemeja Batik Pria Lengan Panjang Motif Mega Mendung Katun Halus Adem Nyaman",
            (8, 12, 7),
            "0.70",
            TitleVerdict.ACCEPTED,
        ),
        (BATIK, "Baju Batik Cowok Lengan Panjang Parang", (8, 6, 4), "0.5714", TitleVerdict.TOO_DIFFERENT),
        ("Sambal Bawang Bu Rudy 150gr", "Sambal Bu Rudy 150gr Asli", (5, 5, 4), "0.80", TitleVerdict.ACCEPTED),
        ("Kerudung", "Kerudung", (1, 1, 1), "1", TitleVerdict.BAND_UNREACHABLE),
        ("Kerudung", "Kerudung Segi", (1, 2, 1), "0.6667", TitleVerdict.BAND_UNREACHABLE),
        ("Kerudung", "Sambal", (1, 1, 0), "0", TitleVerdict.BAND_UNREACHABLE),
        ("Kerudung Segi", "Segi Kerudung", (2, 2, 2), "1", TitleVerdict.TOO_SIMILAR),
        ("Kerudung Segi", "Kerudung Segi Empat", (2, 3, 2), "0.80", TitleVerdict.ACCEPTED),
        ("", "", (0, 0, 0), "1", TitleVerdict.BAND_UNREACHABLE),
    ],
)
def test_titles_are_judged_as_the_worked_table_says(
    master: str, candidate: str, counts: tuple[int, int, int], ratio: str, verdict: TitleVerdict
) -> None:
    check = check_title(master, candidate)
    measured = check.similarity
    assert (measured.master_words, measured.candidate_words, measured.shared_words) == counts
    assert measured.ratio == Decimal(ratio)
    assert check.verdict is verdict


def test_two_accepted_titles_are_no_duplicates_of_each_other() -> None:
    one = "Kemeja Batik Pria Lengan Panjang Parang Premium Adem"
    other = "Batik Pria Lengan Panjang Motif Parang Slimfit Original"
    assert similarity(one, other).ratio == Decimal("0.625")
    assert not is_duplicate(one, other)


@pytest.mark.parametrize(
    ("title", "normal"),
    [
        ("  Kopi\tGayo\u00a0250g ", "kopi gayo 250g"),
        ("KOPI—GAYO/250g!", "kopi gayo 250g"),
        ("\uff2b\uff4f\uff50\uff49", "kopi"),
        ("Kopi ☕ Gayo™", "kopi gayotm"),
        ("Straße", "strasse"),
        ("…", ""),
    ],
)
def test_titles_are_compared_without_case_punctuation_and_symbols(title: str, normal: str) -> None:
    assert normalise(title) == normal


def test_every_master_of_two_words_or_more_can_reach_the_band() -> None:
    words = [f"kata{i}" for i in range(60)]
    for n in range(2, 31):
        reached = [
            (m, c)
            for m in range(1, 60)
            for c in range(1, min(n, m) + 1)
            if check_title(" ".join(words[:n]), " ".join(words[:c] + [f"lain{i}" for i in range(m - c)])).verdict
            is TitleVerdict.ACCEPTED
        ]
        assert reached
        if n == 2:
            assert reached == [(3, 2)]


titles = st.lists(st.sampled_from(["kopi", "gayo", "250g", "batik", "pria", "Ω", "5"]), max_size=12).map(" ".join)


@given(titles, titles)
def test_similarity_is_symmetric_and_between_none_and_all(one: str, other: str) -> None:
    there, back = similarity(one, other), similarity(other, one)
    assert there.ratio == back.ratio
    assert 0 <= there.ratio <= 1
    assert there.is_in_band is back.is_in_band


@given(st.text())
def test_normalising_twice_changes_nothing(title: str) -> None:
    assert normalise(normalise(title)) == normalise(title)


@given(st.text(), st.text())
def test_every_pair_of_titles_has_a_verdict_that_agrees_with_its_similarity(one: str, other: str) -> None:
    check = check_title(one, other)
    if check.verdict is TitleVerdict.ACCEPTED:
        assert check.similarity.is_in_band
    if check.verdict in {TitleVerdict.TOO_SIMILAR, TitleVerdict.TOO_DIFFERENT}:
        assert not check.similarity.is_in_band
    if check.verdict is TitleVerdict.DUPLICATE:
        assert is_duplicate(one, other)
