"""Review texts."""

from __future__ import annotations

import unicodedata

import numpy as np
import pytest

from pipelines.scenarios.retail import review
from pipelines.scenarios.retail.phrases import ENGLISH, KINDS, LANGUAGES, LEVELS, Language


@pytest.fixture(scope="module")
def texts() -> list[str]:
    """Many reviews by all sorts of writers."""
    rng = np.random.default_rng(0)
    return [review.draw(rng.standard_normal(5), rng).decode() for _ in range(2_000)]


def test_lengths(texts: list[str]) -> None:
    """5 to 200 words, and widely spread."""
    words = [len(text.split()) for text in texts]
    assert min(words) >= 5
    assert max(words) <= 200
    assert np.quantile(words, 0.1) < 15 < 60 < np.quantile(words, 0.9)


def test_scripts(texts: list[str]) -> None:
    """Some are in Cyrillic, Greek or Japanese: 8 % in all."""
    scripts = [unicodedata.name(max(text, key=lambda c: c.isalpha() * ord(c) * (ord(c) < 0x1F000))) for text in texts]
    others = [name for name in scripts if name.startswith(("CYRILLIC", "GREEK", "CJK", "HIRAGANA", "KATAKANA"))]
    assert {name.split()[0] for name in others} >= {"CYRILLIC", "GREEK"}
    assert len(others) / len(texts) == pytest.approx(0.08, abs=0.02)  # three standard errors of 2,000 draws


def test_texts_differ(texts: list[str]) -> None:
    """Hardly any two reviews are the same."""
    assert len(set(texts)) > 0.97 * len(texts)


def test_emoji_occur(texts: list[str]) -> None:
    """A good part of the texts has an emoji."""
    assert sum(any(ord(c) > 0x1F000 for c in text) for text in texts) > 300


def test_slips_of_the_keyboard(texts: list[str]) -> None:
    """Without slips an English text has only words of the lists; with them, about one word in a hundred is new."""
    material = " ".join(str(part) for part in vars(ENGLISH).values()).lower()
    words = [word.strip(".,!:;").lower() for text in texts if text.isascii() for word in text.split()]
    slipped = [word for word in words if word.isalpha() and word not in material]
    assert 0.003 < len(slipped) / len(words) < 0.02  # 1.5 % of the words with four letters or more


def test_mood_shows_in_the_words() -> None:
    """The happiest writer uses the best words, the unhappiest the worst."""
    rng = np.random.default_rng(1)
    good, bad = (
        " ".join(review.draw(np.array([m, 0.0, 0.0, 0.0, 0.0]), rng).decode() for _ in range(40)).lower()
        for m in (3.0, -3.0)
    )
    assert any(word in good for word in ENGLISH.quality[-1])
    assert not any(word in good for word in ENGLISH.quality[0])
    assert any(word in bad for word in ENGLISH.quality[0])


@pytest.mark.parametrize("language", [language for language, _ in LANGUAGES.values()], ids=list(LANGUAGES))
def test_scales_have_all_levels(language: Language) -> None:
    """Each language has words for all levels of both scales, and no word twice."""
    for scale in (language.quality, language.bond, language.colour, language.pattern):
        words = [word for level in scale for word in level]
        assert len(scale) == LEVELS
        assert len(set(words)) == len(words)
    assert len({word for words in language.thing for word in words}) >= len(language.thing) == KINDS


def test_the_product_is_named_with_its_colour() -> None:
    """A bottle is called a bottle or a vase, and the warmest taste buys it in red."""
    rng = np.random.default_rng(2)
    texts = [
        review.draw(np.array([0.0, 0.0, 3.0, 0.0, 0.7]), rng).decode().lower() for _ in range(60)
    ]  # the fifth of 6
    english = " ".join(text for text in texts if text.isascii())
    assert "bottle" in english
    assert "scarlet" in english
    assert "indigo" not in english
    assert not any(word in english for words in (*ENGLISH.thing[:4], ENGLISH.thing[5]) for word in words)
