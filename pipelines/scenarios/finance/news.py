"""News and posts about a customer, 5 to 200 words: some words show the trade's stress, others the firm's good name."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipelines.scenarios.finance.phrases import LANGUAGES, LEVELS, NAME_EMOJI, SECTOR_EMOJI, Language
from pipelines.scenarios.slips import slipped
from pipelines.scenarios.streams import Floats

WORDS = (5, 200)
_MEDIAN_WORDS, _WORDS_SIGMA = 34.0, 0.8  # log-normal; cut at WORDS
_SOCIAL = 0.4  # share of texts that are posts, with emoji, lower case and more slips of the keyboard
_TYPO = (0.008, 0.025)  # probability that a word of an article, of a post has a slip
_EMOJI = 0.35  # probability of an emoji after a sentence of a post
_STEP = 1.35  # levels of a scale per standard deviation: its ends are reached at 2.2
_WAVER = 0.25  # standard deviation, in levels, of one word around what the writers mean


def draw(shown: Floats, rng: np.random.Generator) -> bytes:
    """A text of a standardized view `[2]`: stress of the sector, character of the firm; UTF-8."""
    language, is_social = _language(rng.random()), bool(rng.random() < _SOCIAL)
    writer = _Writer(language, shown, is_social, rng)
    aim = float(np.clip(_MEDIAN_WORDS * np.exp(_WORDS_SIGMA * rng.standard_normal()), *WORDS))
    sentences = [writer.opening()]
    words = len(sentences[0].split())
    while words < aim:
        sentence = writer.sentence()
        words += len(sentence.split())
        if words > WORDS[1]:
            break
        sentences.append(sentence)
    return slipped(" ".join(sentences), _TYPO[is_social], rng).encode()


def _language(chance: float) -> Language:
    return next(language for language, share in LANGUAGES.values() if chance < share)


class _Writer:
    """Writes sentences about one firm in one language and register."""

    def __init__(self, language: Language, shown: Floats, is_social: bool, rng: np.random.Generator) -> None:
        self.language, self.shown, self.is_social, self.rng = language, shown, is_social, rng
        self.firm, self.trade = self._pick(language.firms), self._pick(language.trades)

    def opening(self) -> str:
        """A sentence that shows both."""
        return self._finished(self.language.posts if self.is_social else self.language.headlines)

    def sentence(self) -> str:
        """One of three sorts: about the sector, about the firm, or about nothing."""
        chance = self.rng.random()
        if chance < 0.45:
            return self._finished(self.language.sector_frames)
        return self._finished(self.language.name_frames if chance < 0.9 else self.language.fillers)

    def _finished(self, frames: Sequence[str]) -> str:
        text = self._filled(self._pick(frames))
        if not self.is_social:
            return f"{text[0].upper()}{text[1:]}"
        return f"{text} {self._emoji()}" if self.rng.random() < _EMOJI else text

    def _emoji(self) -> str:
        if self.rng.random() < 0.5:
            return SECTOR_EMOJI[self._level(self.shown[0])]
        return NAME_EMOJI[self._level(self.shown[1])]

    def _filled(self, frame: str) -> str:
        """The frame with a fresh word at each place, also where a place occurs twice."""
        pieces = frame.replace("}", "{").split("{")
        pieces[1::2] = [self._word(place) for place in pieces[1::2]]
        return "".join(pieces)

    def _word(self, place: str) -> str:
        if place == "sector":
            return self._pick(self.language.sector[self._level(self.shown[0])])
        if place == "name":
            return self._pick(self.language.name[self._level(self.shown[1])])
        known = {"firm": self.firm, "trade": self.trade}
        return known[place] if place in known else str(int(self.rng.integers(2, 90)))

    def _level(self, value: float) -> int:
        middle = (LEVELS - 1) / 2
        level = middle + _STEP * value + _WAVER * self.rng.standard_normal()
        return int(min(max(round(level), 0), LEVELS - 1))

    def _pick(self, items: Sequence[str]) -> str:
        return items[int(self.rng.random() * len(items))]
