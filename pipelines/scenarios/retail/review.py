"""A review of 5 to 200 words: adjectives show mood, words about the shop loyalty, and what was bought the tastes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipelines.scenarios.retail.phrases import EMOJI, LANGUAGES, LEVELS, Language
from pipelines.scenarios.retail.product import kind_of
from pipelines.scenarios.slips import slipped
from pipelines.scenarios.streams import Floats

WORDS = (5, 200)
_MEDIAN_WORDS, _WORDS_SIGMA = 26.0, 0.9  # log-normal; cut at WORDS
_TYPO = 0.015  # probability that a word has a slip of the keyboard
_EMOJI = 0.2  # probability of an emoji after a sentence
_STEP = 1.75  # levels of a scale per standard deviation: its ends are reached at 2.3
_WAVER = 0.3  # standard deviation, in levels, of one word around the writer's level


def draw(shown: Floats, rng: np.random.Generator) -> bytes:
    """A review (UTF-8) of a standardized view `[5]`: mood, loyalty, boldness, ornateness, kind of product."""
    language = _language(rng.random())
    aim = float(np.clip(_MEDIAN_WORDS * np.exp(_WORDS_SIGMA * rng.standard_normal()), *WORDS))
    sentences: list[str] = []
    words = 0
    while words < aim:
        sentence = _sentence(language, shown, rng, is_first=not sentences)
        words += len(sentence.split())
        if sentences and words > WORDS[1]:
            break
        sentences.append(sentence)
    return slipped(" ".join(sentences), _TYPO, rng).encode()


def _language(chance: float) -> Language:
    return next(language for language, share in LANGUAGES.values() if chance < share)


def _pick(items: Sequence[str], rng: np.random.Generator) -> str:
    return items[int(rng.random() * len(items))]


def _level(value: float, rng: np.random.Generator) -> int:
    middle = (LEVELS - 1) / 2
    return int(np.clip(np.round(middle + _STEP * value + _WAVER * rng.standard_normal()), 0, LEVELS - 1))


def _sentence(language: Language, shown: Floats, rng: np.random.Generator, *, is_first: bool) -> str:
    chance = rng.random()
    shares = (0.4, 0.65, 0.85, 1.0)  # cumulative
    sorts = (language.quality_frames, language.bond_frames, language.product_frames, language.fillers)
    frames = next(frames for frames, share in zip(sorts, shares, strict=True) if chance < share)
    frames = language.openers if is_first else frames
    text = _filled(_pick(frames, rng), language, shown, rng)
    has_emoji = rng.random() < _EMOJI and frames is not language.fillers
    return f"{text[0].upper()}{text[1:]}" + (f" {EMOJI[_level(shown[0], rng)]}" if has_emoji else "")


def _filled(frame: str, language: Language, shown: Floats, rng: np.random.Generator) -> str:
    """The frame with a fresh word at each place, also where a place occurs twice."""
    out = []
    scales = {
        "quality": language.quality,
        "bond": language.bond,
        "colour": language.colour,
        "pattern": language.pattern,
    }
    levels = dict(zip(scales, shown, strict=False))  # the view's order
    for piece in frame.replace("}", "{").split("{"):
        if piece in scales:
            out.append(_pick(scales[piece][_level(levels[piece], rng)], rng))
        elif piece == "thing":
            out.append(_pick(language.thing[kind_of(shown[4])], rng))
        elif piece == "number":
            out.append(str(int(rng.integers(2, 400))))
        else:
            out.append(piece)
    return "".join(out)
