"""Texts of real English words: as frequent, as long and as hard to tokenize as those that people write."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from benchmarks.bench_data.weights import minilm

WORDS = (5, 250)
_MEDIAN_WORDS, _WORDS_SIGMA = 40.0, 0.8  # log-normal: a mean of 55 words, 1 text in 90 is cut at 250
_FIRST_WORD = 1996  # "the" in BERT's vocabulary; words stand there by their frequency
_MANDELBROT = 2.7  # frequency of the r-th word ~ 1/(r + 2.7): Mandelbrot's form of Zipf's law for English
_DERIVED = 0.1  # words that the vocabulary holds in pieces only: names, derivations; 1.2 tokens a word with punctuation
_COMMA, _STOP = 0.07, 0.06  # a sentence has 17 words, and a comma in between


class _Lexicon(NamedTuple):
    words: npt.NDArray[np.str_]
    suffixes: npt.NDArray[np.str_]
    cumulative: npt.NDArray[np.float64]
    """`[words]` share of the words up to each."""


def draw(rng: np.random.Generator) -> str:
    """A text of 5 to 250 words."""
    lexicon = _lexicon()
    count = int(np.clip(_MEDIAN_WORDS * np.exp(_WORDS_SIGMA * rng.standard_normal()), *WORDS))
    places, ends, pieces = rng.random(count), rng.random(count), rng.random(count)
    words = lexicon.words[np.searchsorted(lexicon.cumulative, places)].tolist()
    for at in np.flatnonzero(pieces < _DERIVED).tolist():
        words[at] += lexicon.suffixes[int(len(lexicon.suffixes) * pieces[at] / _DERIVED)]
    for at in np.flatnonzero(ends < _COMMA).tolist():
        words[at] += ","
    for at in np.flatnonzero(ends > 1 - _STOP).tolist():
        words[at] += "."
        if at + 1 < count:
            words[at + 1] = words[at + 1].capitalize()
    return f"{words[0].capitalize()} {' '.join(words[1:])}"


@cache
def _lexicon() -> _Lexicon:
    entries = (minilm() / "vocab.txt").read_text(encoding="utf-8").splitlines()[_FIRST_WORD:]
    words = [entry for entry in entries if entry.isascii() and entry.isalpha()]
    suffixes = [
        entry[2:] for entry in entries if entry.startswith("##") and entry[2:].isascii() and entry[4:].isalpha()
    ]
    cumulative = np.cumsum(1 / (np.arange(len(words)) + _MANDELBROT))
    return _Lexicon(np.array(words), np.array(suffixes), cumulative / cumulative[-1])
