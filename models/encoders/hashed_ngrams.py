"""Text without weights: hashed word and character n-grams, projected, and a few coordinates of style."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from functools import cache
from typing import ClassVar, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import Field

from models.arrow import Bool, Float32, Int64
from models.encoders.base import EncoderSpec
from models.hashing import GOLDEN, UInt64, hash_segments, mix, utf8_parts
from models.segments import Float64, segment_of, segment_sum

Codes: TypeAlias = npt.NDArray[np.uint32]

CHUNK_BYTES = 1 << 18  # text taken at a time: its n-grams (about 100 bytes of memory for each byte) stay near the cache
CHARACTER_NGRAMS = (3, 4, 5)  # fastText's choice for subwords without the rarer 6 (Bojanowski et al. 2017)
STYLE_DIM = 12

SEPARATOR, WORD, SYMBOL = 0, 1, 2
TABLE_SIZE = 0x20000  # planes 0 and 1: all living alphabets, emoji; above lie only rarer ideographs
EMPHASIS = "!?"  # the punctuation that says something by itself
IDEOGRAPHS = ("CJK", "HIRAGANA", "KATAKANA")  # scripts without spaces: every character is a token


class Tokens(NamedTuple):
    """Lower-cased text cut into tokens; all rows one after the other."""

    codes: Codes  # [C] code points of all tokens
    offsets: Int64  # [T + 1] where each token starts in `codes`
    rows: Int64  # [T] the row of each token, ascending
    is_word: Bool  # [T] a run of letters or digits; else one symbol


class Features(NamedTuple):
    """Hashed features of a batch, each as often as it occurs."""

    rows: Int64  # [F] ascending
    hashes: UInt64  # [F]


class Part(NamedTuple):
    """A stretch of the embedding that one sort of feature is projected to."""

    start: int
    dim: int
    copies: int  # coordinates that each feature is added to


class HashedNgramsEncoder:
    """Word 1-2-grams and character n-grams, each sort with its own stretch of the embedding."""

    def __init__(self, dim: int) -> None:
        self.dim = dim
        rest = dim - STYLE_DIM
        # Measured on reviews: more for pairs takes from what single words say; less loses "not good".
        pairs = rest // 10
        words = (rest - pairs) // 2
        self.parts = {
            "words": Part(STYLE_DIM, words, 8),
            "pairs": Part(STYLE_DIM + words, pairs, 4),
            "characters": Part(STYLE_DIM + words + pairs, rest - words - pairs, 2),
        }

    def __call__(self, values: pa.Array) -> Float32:
        """float32 `[n, dim]` of n texts."""
        chunks = [self._encode(chunk) for chunk in _chunks(values)]
        return np.concatenate(chunks) if chunks else np.zeros((0, self.dim), dtype=np.float32)

    def _encode(self, texts: pa.Array) -> Float32:
        codes, offsets = code_points(texts)
        tokens = tokenize(codes, offsets)
        words = hash_segments(tokens.codes, tokens.offsets)
        out = np.empty((len(texts), self.dim), dtype=np.float32)
        out[:, :STYLE_DIM] = style(codes, offsets, tokens)
        features = {
            "words": Features(tokens.rows, words),
            "pairs": word_pairs(tokens, words),
            "characters": character_ngrams(tokens),
        }
        for name, part in self.parts.items():
            out[:, part.start : part.start + part.dim] = sketch(features[name], len(texts), part)
        return out


class HashedNgramsSpec(EncoderSpec):
    """Hashed word 1-2-grams and character 3-5-grams, sub-linear weights, projected; needs no weights."""

    kind: ClassVar[str] = "hashed_ngrams"
    modality: ClassVar[str] = "text"

    dim: int = Field(512, ge=64, le=8192)
    """Length of the embedding; at 256 a linear probe of short reviews reads 5 % less of their mood."""

    @property
    def output_dim(self) -> int:
        """Length of the embedding."""
        return self.dim

    def build(self) -> HashedNgramsEncoder:
        """The encoder."""
        return HashedNgramsEncoder(self.dim)


def code_points(texts: pa.Array) -> tuple[Codes, Int64]:
    """Unicode code points of all texts, and `[n + 1]` offsets into them."""
    raw, offsets = utf8_parts(texts)
    codes = np.frombuffer(raw.tobytes().decode("utf-8").encode("utf-32-le"), dtype=np.uint32)
    starts = (raw & 0xC0) != 0x80  # every byte but the continuation bytes begins a code point
    return codes, np.concatenate([[0], np.cumsum(starts)])[offsets]


@cache
def tables() -> tuple[npt.NDArray[np.uint8], Codes]:
    """Class and lower case of the code points below TABLE_SIZE."""
    characters = [chr(code) for code in range(TABLE_SIZE)]
    classes = np.array([_class_of(character) for character in characters], dtype=np.uint8)
    lower = [low if len(low := character.lower()) == 1 else character for character in characters]
    return classes, np.array([ord(character) for character in lower], dtype=np.uint32)


def tokenize(codes: Codes, offsets: Int64) -> Tokens:
    """Runs of letters, marks and digits, and single symbols, lower-cased; the rest separates."""
    table, lower = tables()
    classes = np.where(codes < TABLE_SIZE, table[np.minimum(codes, TABLE_SIZE - 1)], np.uint8(SYMBOL))
    lowered = np.where(codes < TABLE_SIZE, lower[np.minimum(codes, TABLE_SIZE - 1)], codes)
    joined = np.zeros(len(codes), dtype=np.bool_)  # a letter whose left neighbour is a letter of the same row
    joined[1:] = (classes[1:] == WORD) & (classes[:-1] == WORD)
    joined[offsets[:-1][offsets[:-1] < len(codes)]] = False
    kept = classes != SEPARATOR
    starts = (kept & ~joined)[kept].nonzero()[0]
    return Tokens(
        lowered[kept],
        np.append(starts, int(kept.sum())),
        segment_of(offsets)[kept][starts],
        (classes[kept] == WORD)[starts],
    )


def word_pairs(tokens: Tokens, words: UInt64) -> Features:
    """Neighbouring tokens of a row."""
    same = tokens.rows[1:] == tokens.rows[:-1]
    return Features(tokens.rows[1:][same], mix(words[:-1][same] * GOLDEN + words[1:][same]))


def character_ngrams(tokens: Tokens) -> Features:
    """Runs of CHARACTER_NGRAMS characters inside words, a space counted at both ends (scikit-learn's `char_wb`)."""
    lengths = np.diff(tokens.offsets)
    words = tokens.is_word
    spaced = np.concatenate([[0], np.cumsum(lengths[words] + 2)])  # [W + 1] offsets of ` word ` in the stream
    stream = np.full(spaced[-1], ord(" "), dtype=np.uint64)
    inner = np.ones(spaced[-1], dtype=np.bool_)
    inner[spaced[:-1]] = inner[spaced[1:] - 1] = False
    stream[inner] = tokens.codes[np.repeat(words, lengths)]
    left = np.repeat(spaced[1:], np.diff(spaced)) - np.arange(len(stream))  # characters from here to the word's end
    rows = np.repeat(tokens.rows[words], np.diff(spaced))
    found = [_windows(stream, left, rows, length) for length in CHARACTER_NGRAMS]
    return Features(np.concatenate([f.rows for f in found]), np.concatenate([f.hashes for f in found]))


def sketch(features: Features, n: int, part: Part) -> Float32:
    """`[n, part.dim]`: the rows' feature vectors, L2-normalised, projected by signed hashing.

    Feature f of weight 1 + log(frequency) is added with sign ±1 to `copies` pseudo-random coordinates (Weinberger et
    al. 2009; several copies: Kane & Nelson 2014). Scaled so that a coordinate has variance near 1.
    """
    keys = np.sort(features.rows.astype(np.uint64) << np.uint64(32) | features.hashes >> np.uint64(32))
    first = np.ones(len(keys), dtype=np.bool_)
    first[1:] = keys[1:] != keys[:-1]
    at = first.nonzero()[0]
    frequency = np.diff(np.append(at, len(keys)))
    rows = (keys[at] >> np.uint64(32)).astype(np.int64)
    weights = 1.0 + np.log(frequency.astype(np.float64))
    norms = np.sqrt(np.bincount(rows, weights=weights * weights, minlength=n))
    total = np.zeros(n * part.dim)
    bits = mix(keys[at] & np.uint64(0xFFFFFFFF))
    for _ in range(part.copies):
        bits = mix(bits + GOLDEN)
        slots = rows * part.dim + ((bits >> np.uint64(32)) * np.uint64(part.dim) >> np.uint64(32)).astype(np.int64)
        signed = np.where(bits & np.uint64(1), weights, -weights)
        total += np.bincount(slots, weights=signed, minlength=len(total))
    scale = np.sqrt(part.dim / part.copies) / np.maximum(norms, 1.0)
    projected: Float32 = (total.reshape(n, part.dim) * scale[:, None]).astype(np.float32)
    return projected


def style(codes: Codes, offsets: Int64, tokens: Tokens) -> Float32:
    """`[n, STYLE_DIM]`: how long and in which manner a text is written; each near mean 0 and variance 1 on prose."""
    n = len(offsets) - 1
    per_row = np.concatenate([[0], np.cumsum(np.bincount(tokens.rows, minlength=n))])
    characters = np.diff(offsets).astype(np.float64)
    count = np.diff(per_row).astype(np.float64)
    lengths = np.diff(tokens.offsets).astype(np.float64)
    upper = (codes < TABLE_SIZE) & (tables()[1][np.minimum(codes, TABLE_SIZE - 1)] != codes)

    def occurrences(flags: Bool) -> Float64:
        return segment_sum(flags.astype(np.float64), offsets)

    def share(flags: Bool) -> Float64:
        return occurrences(flags) / np.maximum(characters, 1)

    columns = [  # the constants are rounded means and deviations of product reviews
        (np.log1p(count) - 3.5) / 1.0,
        (np.log1p(characters) - 5.0) / 1.0,
        (segment_sum(lengths, per_row) / np.maximum(count, 1) - 4.5) / 1.5,
        np.sqrt(segment_sum(lengths * lengths, per_row) / np.maximum(count, 1)) / 3.0 - 1.7,
        np.sqrt(share(upper)) * 5 - 1,
        np.sqrt(share((codes >= ord("0")) & (codes <= ord("9")))) * 5,
        np.log1p(occurrences(codes == ord("!"))),
        np.log1p(occurrences(codes == ord("?"))),
        np.log1p(occurrences((codes == ord(".")) | (codes == ord("\n")))) - 1,
        np.log1p(occurrences(codes == ord(","))) - 1,
        np.sqrt(share(codes >= 0x80)) * 2,
        np.log1p(segment_sum((~tokens.is_word).astype(np.float64), per_row)),
    ]
    return np.stack(columns, axis=1).astype(np.float32)


def _windows(stream: UInt64, left: Int64, rows: Int64, length: int) -> Features:
    at = (left >= length).nonzero()[0]
    hashes = np.full(len(at), np.uint64(length))
    for step in range(length):
        hashes = (hashes + stream[at + step]) * GOLDEN
    return Features(rows[at], mix(hashes))


def _class_of(character: str) -> int:
    category = unicodedata.category(character)
    if category in ("Lo", "Nl") and unicodedata.name(character, "").startswith(IDEOGRAPHS):
        return SYMBOL
    if category[0] in "LMN":
        return WORD
    return SYMBOL if category[0] == "S" or character in EMPHASIS else SEPARATOR


def _chunks(texts: pa.Array) -> Iterator[pa.Array]:
    """Slices of about CHUNK_BYTES; at least one row each."""
    _, offsets = utf8_parts(texts)
    start = 0
    while start < len(texts):
        stop = int(np.searchsorted(offsets, offsets[start] + CHUNK_BYTES, side="right")) - 1
        stop = max(stop, start + 1)
        yield texts.slice(start, stop - start)
        start = stop
