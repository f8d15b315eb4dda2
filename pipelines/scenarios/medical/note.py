"""A clinical note of 14 to 51 words: findings and negations, abbreviations and typos; fever, strain and wheeze."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipelines.scenarios.medical.phrases import FEVER, FILLERS, FINDING_FRAMES, LEVELS, OPENERS, STRAIN, WHEEZE
from pipelines.scenarios.streams import Floats

_SENTENCES = (2, 6)  # after the first
_FILLER = 0.35  # share of sentences that say nothing
_TYPO = 0.02  # probability that a word has a slip of the keyboard
_CAPITALS = 0.05  # share of notes in capitals
_STEP = 1.75  # levels of a scale per standard deviation: its ends are reached at 2.3
_WAVER = 0.3  # standard deviation, in levels, of one finding around the writer's level
_SCALES = (FEVER, STRAIN, WHEEZE)  # in the view's order
_SEXES = (("male", "M"), ("female", "F"))


def draw(shown: Floats, rng: np.random.Generator) -> bytes:
    """A note (UTF-8) of a standardized view `[3]`: fever, strain, wheeze."""
    sentences = [_filled(_pick(OPENERS, rng), shown, rng)]
    for _ in range(int(rng.integers(*_SENTENCES, endpoint=True))):
        frames = FILLERS if rng.random() < _FILLER else FINDING_FRAMES
        sentences.append(_filled(_pick(frames, rng), shown, rng))
    text = " ".join(_typed(" ".join(sentences).split(" "), rng))
    return (text.upper() if rng.random() < _CAPITALS else text).encode()


def _pick(items: Sequence[str], rng: np.random.Generator) -> str:
    return items[int(rng.random() * len(items))]


def _level(value: float, rng: np.random.Generator) -> int:
    middle = (LEVELS - 1) / 2
    return int(np.clip(np.round(middle + _STEP * value + _WAVER * rng.standard_normal()), 0, LEVELS - 1))


def _filled(frame: str, shown: Floats, rng: np.random.Generator) -> str:
    sex, letter = _SEXES[int(rng.random() < 0.5)]
    fever, strain, wheeze = (
        _pick(scale[_level(value, rng)], rng) for scale, value in zip(_SCALES, shown.tolist(), strict=True)
    )
    age, days = int(rng.integers(18, 95)), int(rng.integers(2, 15))
    return frame.format(fever=fever, strain=strain, wheeze=wheeze, sex=sex, letter=letter, age=age, days=days)


def _typed(words: list[str], rng: np.random.Generator) -> list[str]:
    """The words with slips: two letters swapped, or one left out."""
    for index in np.flatnonzero(rng.random(len(words)) < _TYPO).tolist():
        word = words[index]
        if len(word) < 4:
            continue
        at = int(rng.integers(1, len(word) - 2))
        swapped, shorter = word[:at] + word[at + 1] + word[at] + word[at + 2 :], word[:at] + word[at + 1 :]
        words[index] = swapped if rng.random() < 0.5 else shorter
    return words
