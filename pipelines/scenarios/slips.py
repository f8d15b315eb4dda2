"""Slips of the keyboard, as any text may have them."""

from __future__ import annotations

import numpy as np


def slipped(text: str, share: float, rng: np.random.Generator) -> str:
    """The text with slips in a share of its words: two letters swapped, one doubled or one left out."""
    words = text.split(" ")
    for index in np.flatnonzero(rng.random(len(words)) < share).tolist():
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
