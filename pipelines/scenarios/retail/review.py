"""A review text of 5 to 200 words: its adjectives show mood, its words about the shop show loyalty."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipelines.scenarios.retail.phrases import EMOJI, LANGUAGES, LEVELS, Language
from pipelines.scenarios.streams import Floats

WORDS = (5, 200)
_MEDIAN_WORDS, _WORDS_SIGMA = 26.0, 0.9  # log-normal; cut at WORDS
_TYPO = 0.015  # probability that a word has a slip of the keyboard
_EMOJI = 0.2  # probability of an emoji after a sentence
_STEP = 1.75  # levels of a scale per standard deviation: its ends are reached at 2.3
_WAVER = 0.3  # standard deviation, in levels, of one word around the writer's level


def draw(shown: Floats, rng: np.random.Generator) -> bytes:
    """A review (UTF-8) of a standardized view `[2]`: mood, loyalty."""
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
    return _typed(" ".join(sentences), rng).encode()


def _language(chance: float) -> Language:
    return next(language for language, share in LANGUAGES.values() if chance < share)


def _pick(items: Sequence[str], rng: np.random.Generator) -> str:
    return items[int(rng.random() * len(items))]


def _level(value: float, rng: np.random.Generator) -> int:
    middle = (LEVELS - 1) / 2
    return int(np.clip(np.round(middle + _STEP * value + _WAVER * rng.standard_normal()), 0, LEVELS - 1))


def _sentence(language: Language, shown: Floats, rng: np.random.Generator, *, is_first: bool) -> str:
    chance = rng.random()
    if is_first:
        frames = language.openers
    elif chance < 0.5:
        frames = language.quality_frames
    elif chance < 0.85:
        frames = language.bond_frames
    else:
        frames = language.fillers
    text = _filled(_pick(frames, rng), language, shown, rng)
    has_emoji = rng.random() < _EMOJI and frames is not language.fillers
    return f"{text[0].upper()}{text[1:]}" + (f" {EMOJI[_level(shown[0], rng)]}" if has_emoji else "")


def _filled(frame: str, language: Language, shown: Floats, rng: np.random.Generator) -> str:
    """The frame with a fresh word at each place, also where a place occurs twice."""
    out = []
    for piece in frame.replace("}", "{").split("{"):
        if piece == "quality":
            out.append(_pick(language.quality[_level(shown[0], rng)], rng))
        elif piece == "bond":
            out.append(_pick(language.bond[_level(shown[1], rng)], rng))
        elif piece == "thing":
            out.append(_pick(language.things, rng))
        elif piece == "number":
            out.append(str(int(rng.integers(2, 400))))
        else:
            out.append(piece)
    return "".join(out)


def _typed(text: str, rng: np.random.Generator) -> str:
    """The text with slips: two letters swapped, one doubled or one left out."""
    words = text.split(" ")
    for index in np.flatnonzero(rng.random(len(words)) < _TYPO).tolist():
        word = words[index]
        if len(word) < 4:
            continue
        at = int(rng.integers(1, len(word) - 2))
        words[index] = (
            word[:at] + word[at + 1] + word[at] + word[at + 2 :],
            word[:at] + word[at] + word[at:],
            word[:at] + word[at + 1 :],
        )[int(rng.integers(3))]
    return " ".join(words)
