"""Tests of the stable hashes."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from models.hashing import GOLDEN, hash_segments, hash_strings, mix, salt, signs, utf8_parts

MASK = (1 << 64) - 1


def plain_mix(x: int) -> int:
    """SplitMix64's finalizer in Python's unbounded integers."""
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK
    return x ^ (x >> 31)


def plain_hash(codes: bytes) -> int:
    """The hash's formula, term by term."""
    total = sum((code + 1) * pow(int(GOLDEN), place + 1, 1 << 64) for place, code in enumerate(codes))
    return plain_mix(total & MASK)


def test_hashes_follow_their_formula() -> None:
    """The vectorized hash is the polynomial of the UTF-8 bytes, finalized."""
    words = ["a", "ab", "héllo", "很好", "x" * 300]

    assert hash_strings(pa.array(words)).tolist() == [plain_hash(word.encode()) for word in words]


def test_mix_is_splitmix64() -> None:
    """The first output of SplitMix64 seeded with 0, as its authors print it, is mix(GOLDEN)."""
    assert int(mix(np.array([GOLDEN]))[0]) == 0xE220A8397B1DCDAF


def test_strings_of_a_slice_hash_as_they_do_alone() -> None:
    """Neither offset nor empty strings in between move a string's hash."""
    strings = pa.array(["x", "", "abc", "", "abc", "é"])

    hashes = hash_strings(strings.slice(1, 4))

    assert hashes.tolist() == [plain_hash(text) for text in (b"", b"abc", b"", b"abc")]
    assert salt("é") == hash_strings(strings)[5]


def test_no_strings_have_no_hashes() -> None:
    """An empty array gives an empty array."""
    assert hash_strings(pa.array([], pa.string())).shape == (0,)
    assert hash_segments(np.zeros(0, np.uint32), np.zeros(1, np.int64)).shape == (0,)


def test_utf8_parts_of_large_strings_start_at_zero() -> None:
    """Bytes and offsets are those of the slice, whatever the width of the offsets."""
    raw, offsets = utf8_parts(pa.array(["ab", "c", "é"], pa.large_string()).slice(1))

    assert raw.tobytes() == "cé".encode()
    assert offsets.tolist() == [0, 1, 3]


def test_similar_words_do_not_collide() -> None:
    """A hundred thousand numbered words have as many different hashes, also in their upper 32 bits up to chance."""
    hashes = hash_strings(pa.array([f"word {number}" for number in range(100_000)]))

    assert len(np.unique(hashes)) == 100_000
    # n²/2 / 2^32 = 1.2 pairs are expected to share 32 bits.
    assert len(np.unique(hashes >> np.uint64(32))) > 100_000 - 10


def test_directions_are_nearly_orthogonal() -> None:
    """Inner products of directions have mean 0 and deviation sqrt(dim)."""
    directions = signs(hash_strings(pa.array([f"field {number}" for number in range(200)])), 100)
    products = (directions @ directions.T)[np.triu_indices(200, 1)]

    assert set(np.unique(directions)) == {-1.0, 1.0}
    assert abs(products.mean()) < 0.3  # the deviation of the mean of 19,900 products is 10/sqrt(19900) = 0.07
    assert abs(products.std() - 10) < 0.3
