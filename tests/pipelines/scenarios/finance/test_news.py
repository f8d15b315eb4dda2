"""News and posts."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from pipelines.scenarios import slips
from pipelines.scenarios.finance import news
from pipelines.scenarios.finance.phrases import ENGLISH, LANGUAGES, LEVELS, NAME_EMOJI, SECTOR_EMOJI, Language


def test_lengths_and_scripts() -> None:
    """5 to 200 words, most of them Latin, some Cyrillic, Korean and Devanagari; some with emoji."""
    rng = np.random.default_rng(0)
    texts = [news.draw(rng.standard_normal(2), rng).decode() for _ in range(600)]
    counts = [len(text.split()) for text in texts]
    assert min(counts) >= 5
    assert max(counts) <= 200
    assert np.median(counts) == pytest.approx(38, abs=6)
    for first, last in (("a", "z"), ("а", "я"), ("가", "힣"), ("अ", "ह")):
        assert any(first <= letter <= last for text in texts for letter in text)
    assert any(emoji in text for emoji in (*SECTOR_EMOJI, *NAME_EMOJI) for text in texts)


@pytest.mark.parametrize(
    ("shown", "expected", "forbidden"),
    [
        ([3.0, 0.0], ENGLISH.sector[-1], ENGLISH.sector[0]),
        ([-3.0, 0.0], ENGLISH.sector[0], ENGLISH.sector[-1]),
        ([0.0, 3.0], ENGLISH.name[-1], ENGLISH.name[0]),
        ([0.0, -3.0], ENGLISH.name[0], ENGLISH.name[-1]),
    ],
    ids=["stress", "boom", "good name", "bad name"],
)
def test_both_scales_show_in_the_words(
    shown: list[float], expected: tuple[str, ...], forbidden: tuple[str, ...]
) -> None:
    """At an end of a scale its last words are used, and none of the other end's."""
    rng = np.random.default_rng(1)
    text = " ".join(news.draw(np.array(shown), rng).decode() for _ in range(40)).lower()
    assert all(word in text for word in expected)
    assert not any(word in text for word in forbidden)


def test_slips_change_words_not_their_number() -> None:
    """With every word slipped, long words differ by one letter at most, and short ones not at all."""
    text = "the bakery on the corner is closing soon"
    slipped = slips.slipped(text, 1.0, np.random.default_rng(0)).split()
    pairs = list(zip(text.split(), slipped, strict=True))
    assert all(word == slip for word, slip in pairs if len(word) < 4)
    assert all(abs(len(word) - len(slip)) <= 1 and word[0] == slip[0] for word, slip in pairs)
    assert any(word != slip for word, slip in pairs)


def test_no_slips_without_a_share() -> None:
    """A share of 0 leaves a text as it is."""
    assert slips.slipped("nothing happens here", 0.0, np.random.default_rng(0)) == "nothing happens here"


@pytest.mark.parametrize("language", [language for language, _ in LANGUAGES.values()], ids=list(LANGUAGES))
def test_scales_have_all_levels(language: Language) -> None:
    """Each language has words for all levels of both scales, and none of them stands twice."""
    words = [word for scale in (language.sector, language.name) for level in scale for word in level]
    assert (len(language.sector), len(language.name)) == (LEVELS, LEVELS)
    assert len(set(words)) == len(words)


@pytest.mark.parametrize("frames", [lambda la: la.headlines, lambda la: la.posts], ids=["headlines", "posts"])
def test_openings_show_both_scales(frames: Callable[[Language], tuple[str, ...]]) -> None:
    """However short a text is, it says something on both."""
    for language, _ in LANGUAGES.values():
        assert all("{sector}" in frame and "{name}" in frame for frame in frames(language))
