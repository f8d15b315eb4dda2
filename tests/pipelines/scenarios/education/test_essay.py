"""Essays."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.scenarios.education import essay
from pipelines.scenarios.education.phrases import ENGLISH, LANGUAGES, LEVELS, Language


def written(shown: list[float], count: int, seed: int = 1) -> str:
    """Many essays of one writer, in lower case."""
    rng = np.random.default_rng(seed)
    return " ".join(essay.draw(np.array(shown), rng).decode() for _ in range(count)).lower()


def test_lengths_and_scripts() -> None:
    """Up to 140 words, seldom below 20, most of them Latin; Cyrillic, Greek and Japanese occur."""
    rng = np.random.default_rng(0)
    texts = [essay.draw(rng.standard_normal(2), rng).decode() for _ in range(600)]
    counts = [len(text.split()) for text in texts]
    assert max(counts) <= 140
    assert np.quantile(counts, 0.02) > 20
    assert len(set(texts)) == 600
    for first, last in (("a", "z"), ("а", "я"), ("α", "ω"), ("ぁ", "ん")):
        assert any(first <= letter <= last for text in texts for letter in text)


@pytest.mark.parametrize(
    ("shown", "expected", "forbidden"),
    [
        ([3.0, 0.0], ENGLISH.word[-1], ENGLISH.word[0]),
        ([-3.0, 0.0], ENGLISH.word[0], ENGLISH.word[-1]),
        ([0.0, 3.0], ENGLISH.link[-1], ENGLISH.link[0]),
    ],
    ids=["rich", "poor", "reasoned"],
)
def test_both_scales_show_in_the_words(
    shown: list[float], expected: tuple[str, ...], forbidden: tuple[str, ...]
) -> None:
    """At an end of a scale its last words are used, and none of the other end's."""
    text = f" {written(shown, 40)} "
    assert all(word in text for word in expected)
    assert not any(f" {word} " in text for word in forbidden)


def test_better_writers_make_fewer_mistakes() -> None:
    """Words of five letters and more that no list holds: a skilled writer has less than a third of a poor one's."""
    material = " ".join(str(part) for part in vars(ENGLISH).values()).lower()
    shares = []
    for skill in (2.0, -2.0):
        words = [word.strip(".,;") for word in written([skill, 0.0], 120).split() if word.isascii()]
        long = [word for word in words if len(word) > 4]
        shares.append(np.mean([word not in material for word in long]))
    assert 0 < shares[0] < shares[1] / 3


@pytest.mark.parametrize("language", [language for language, _ in LANGUAGES.values()], ids=list(LANGUAGES))
def test_scales_have_all_levels(language: Language) -> None:
    """Each language has words for all levels of both scales, and no word twice; its openers show both scales."""
    for scale in (language.word, language.link):
        words = [word for level in scale for word in level]
        assert len(scale) == LEVELS
        assert len(set(words)) == len(words)
    assert all("{word}" in frame and "{link}" in frame for frame in language.openers)
