"""An essay of 25 to 140 words: its vocabulary shows language skill, the words between its thoughts reasoning."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipelines.scenarios.education.phrases import LANGUAGES, LEVELS, Language
from pipelines.scenarios.slips import slipped
from pipelines.scenarios.streams import Floats

WORDS = (25, 140)
_MEDIAN_WORDS, _WORDS_SIGMA = 52.0, 0.35  # log-normal; cut at WORDS
_STEP = 1.4  # levels of a scale per standard deviation: its ends are reached at 2.1
_WAVER = 0.45  # standard deviation, in levels, of one word around the writer's level
_FILLER = 0.15  # share of sentences that say nothing
_ERRORS = 0.04  # probability of a spelling mistake in a word, of a writer in the middle of the scale


def draw(shown: Floats, rng: np.random.Generator) -> bytes:
    """An essay, as UTF-8, of a standardized view `[2]`: language, reasoning."""
    language = _language(rng.random())
    aim = float(np.clip(_MEDIAN_WORDS * np.exp(_WORDS_SIGMA * rng.standard_normal()), *WORDS))
    sentences: list[str] = []
    words = 0
    while words < aim:
        sentence = _sentence(language, shown, rng, is_first=not sentences)
        words += len(sentence.split())
        if words > WORDS[1]:
            break
        sentences.append(sentence)
    mistakes = _ERRORS * np.exp(-0.7 * float(shown[0]))  # the fewer, the better the language
    return slipped(" ".join(sentences), mistakes, rng).encode()


def _language(chance: float) -> Language:
    return next(language for language, share in LANGUAGES.values() if chance < share)


def _pick(items: Sequence[str], rng: np.random.Generator) -> str:
    return items[int(rng.random() * len(items))]


def _level(value: float, rng: np.random.Generator) -> int:
    middle = (LEVELS - 1) / 2
    return int(min(max(round(middle + _STEP * value + _WAVER * rng.standard_normal()), 0), LEVELS - 1))


def _sentence(language: Language, shown: Floats, rng: np.random.Generator, *, is_first: bool) -> str:
    if is_first:
        frames = language.openers
    else:
        frames = language.fillers if rng.random() < _FILLER else language.sentences
    text = _filled(_pick(frames, rng), language, shown, rng)
    return f"{text[0].upper()}{text[1:]}"


def _filled(frame: str, language: Language, shown: Floats, rng: np.random.Generator) -> str:
    """The frame with a fresh word at each place, also where a place occurs twice."""
    out = []
    for piece in frame.replace("}", "{").split("{"):
        if piece == "word":
            out.append(_pick(language.word[_level(shown[0], rng)], rng))
        elif piece == "link":
            out.append(_pick(language.link[_level(shown[1], rng)], rng))
        elif piece == "topic":
            out.append(_pick(language.topics, rng))
        elif piece == "number":
            out.append(str(int(rng.integers(2, 90))))
        else:
            out.append(piece)
    return "".join(out)
