"""Tests of the text encoder that needs no weights."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from models.encoders import hashed_ngrams
from models.encoders.hashed_ngrams import (
    STYLE_DIM,
    Features,
    HashedNgramsSpec,
    Part,
    Tokens,
    character_ngrams,
    code_points,
    sketch,
    tokenize,
    word_pairs,
)
from models.hashing import hash_segments
from tests.models.encoders.probe import explained


def tokens_of(*texts: str) -> Tokens:
    """The tokens of some texts."""
    return tokenize(*code_points(pa.array(texts)))


def spelled(tokens: Tokens) -> list[tuple[int, str]]:
    """Row and spelling of each token."""
    words = [tokens.codes[a:b] for a, b in zip(tokens.offsets, tokens.offsets[1:], strict=False)]
    return [(int(row), "".join(map(chr, word))) for row, word in zip(tokens.rows, words, strict=True)]


def test_words_are_runs_of_letters_in_lower_case() -> None:
    """Spaces, stops and row ends separate; case goes; an empty row has no words."""
    assert spelled(tokens_of("Très BON, a1.", "", "ПЛОХО")) == [(0, "très"), (0, "bon"), (0, "a1"), (2, "плохо")]


def test_symbols_and_ideographs_stand_alone() -> None:
    """Emoji, ! and ? and characters of scripts without spaces are tokens of their own."""
    found = tokens_of("good😀😀!", "很好", "𠀀")

    assert spelled(found) == [(0, "good"), (0, "😀"), (0, "😀"), (0, "!"), (1, "很"), (1, "好"), (2, "𠀀")]
    assert found.is_word.tolist() == [True, False, False, False, False, False, False]


def test_pairs_stay_within_a_row() -> None:
    """Two words and three words make one and two pairs, and order counts."""
    tokens = tokens_of("not good", "good not good")

    pairs = word_pairs(tokens, hash_segments(tokens.codes, tokens.offsets))

    assert pairs.rows.tolist() == [0, 1, 1]
    assert pairs.hashes[0] == pairs.hashes[2] != pairs.hashes[1]


def test_characters_are_counted_within_words() -> None:
    """` cat ` has three 3-grams, two 4-grams and one 5-gram, ` a ` one 3-gram, and a symbol none."""
    found = character_ngrams(tokens_of("cat", "😀", "a"))

    assert sorted(found.rows.tolist()) == [0] * 6 + [2]


def test_words_that_share_a_stem_share_ngrams() -> None:
    """` arrive` is common to both words: its 5 + 4 + 3 n-grams of ` arrive` that both hold."""
    first, second = (set(character_ngrams(tokens_of(word)).hashes.tolist()) for word in ("arrived", "arrives"))

    # ` arrive` has 7 characters: 5 3-grams, 4 4-grams and 3 5-grams.
    assert len(first & second) == 12


def test_sketch_has_unit_variance_and_sublinear_weights() -> None:
    """One feature alone fills its copies with ±sqrt(dim / copies), however often it occurs."""
    once = sketch(Features(np.array([0]), np.array([7], np.uint64)), 1, Part(0, 64, 1))
    often = sketch(Features(np.zeros(50, np.int64), np.full(50, 7, np.uint64)), 1, Part(0, 64, 1))

    assert sorted(np.unique(np.abs(once))) == [0.0, 8.0]
    np.testing.assert_array_equal(once, often)


def test_unlike_texts_are_nearly_orthogonal_and_like_ones_not() -> None:
    """A changed word leaves most of the embedding; other words leave nothing of it."""
    texts = ["the shoes arrived late and broken", "the shoes arrived late and torn", "wonderful colour perfect fit"]
    rows = HashedNgramsSpec().build()(pa.array(texts))[:, STYLE_DIM:]
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)

    assert unit[0] @ unit[1] > 0.6
    assert abs(unit[0] @ unit[2]) < 0.25  # 5 deviations of 1/sqrt(500) around 0


def test_texts_are_taken_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cutting the batch by bytes, also within one call, changes nothing; a text over the limit goes alone."""
    texts = pa.array(["a b", "", "long " * 30, "x", "y z"])
    whole = HashedNgramsSpec().build()(texts)

    monkeypatch.setattr(hashed_ngrams, "CHUNK_BYTES", 5)

    np.testing.assert_array_equal(HashedNgramsSpec().build()(texts), whole)


def test_a_linear_map_reads_mood() -> None:
    """The balance of good and bad words among a hundred others is read from the embedding."""
    rng = np.random.default_rng(0)
    filler = [f"filler{number}" for number in range(100)]
    good, bad = ["great", "lovely", "perfect", "super"], ["awful", "broken", "late", "poor"]
    mood = rng.integers(0, 9, 1500)
    texts = []
    for count in mood:
        words = [*rng.choice(filler, 20), *rng.choice(good, count), *rng.choice(bad, 8 - count)]
        texts.append(" ".join(rng.permutation(words)))

    assert explained(HashedNgramsSpec().build()(pa.array(texts)), mood) > 0.9
