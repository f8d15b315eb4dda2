"""Stable 64-bit hashes of strings and number sequences, vectorized; the same in every process and on every machine."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from models.arrow import Float32, Int64
from models.segments import position_in, segment_sum

UInt64: TypeAlias = npt.NDArray[np.uint64]

# Odd multipliers of a polynomial hash modulo 2^64 and of its finalizer: the golden-ratio constant of Knuth, TAOCP
# vol. 3, section 6.4, and the two of SplitMix64 (Steele, Lea & Flood, "Fast splittable pseudorandom number
# generators", OOPSLA 2014).
GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_SPLIT_A = np.uint64(0xBF58476D1CE4E5B9)
_SPLIT_B = np.uint64(0x94D049BB133111EB)


def mix(x: UInt64) -> UInt64:
    """SplitMix64's finalizer: a bijection of 64-bit numbers after which every bit depends on every bit."""
    x = x ^ (x >> np.uint64(30))
    x = x * _SPLIT_A
    x = x ^ (x >> np.uint64(27))
    x = x * _SPLIT_B
    return x ^ (x >> np.uint64(31))


def salt(name: str) -> np.uint64:
    """A 64-bit number that tells one use of the hashes from another."""
    return np.uint64(hash_strings(pa.array([name]))[0])


def powers(length: int) -> UInt64:
    """`GOLDEN**1 … GOLDEN**length` modulo 2^64."""
    return np.cumprod(np.full(length, GOLDEN, dtype=np.uint64), dtype=np.uint64)


def hash_segments(codes: npt.NDArray[np.unsignedinteger], offsets: Int64) -> UInt64:
    """`[n]` hashes of the n sequences `codes[offsets[i]:offsets[i+1]]`.

    The polynomial hash Σ (code_j + 1)·GOLDEN^(j+1) modulo 2^64 over the positions j of the sequence, then `mix`.
    """
    lengths = np.diff(offsets)
    terms = (codes.astype(np.uint64) + np.uint64(1)) * powers(int(lengths.max(initial=0)))[position_in(offsets)]
    return mix(segment_sum(terms, offsets))


def hash_strings(strings: pa.Array) -> UInt64:
    """`[n]` hashes of a string array without nulls (over the UTF-8 bytes)."""
    return hash_segments(*utf8_parts(strings))


def signs(hashes: UInt64, dim: int) -> Float32:
    """`[n, dim]` of +1 and -1: a pseudo-random direction for every hash; two of them are nearly orthogonal.

    Their inner product has mean 0 and standard deviation sqrt(dim) against dim with itself (Achlioptas,
    "Database-friendly random projections", 2003).
    """
    words = -(-dim // 64)
    counters = np.arange(1, words + 1, dtype=np.uint64) * GOLDEN
    bits = np.unpackbits(mix(hashes[:, None] + counters).astype("<u8").view(np.uint8), axis=1)  # [n, words·64]
    return np.float32(2) * bits[:, :dim].astype(np.float32) - np.float32(1)


def utf8_parts(strings: pa.Array) -> tuple[npt.NDArray[np.uint8], Int64]:
    """All bytes of a string array without nulls, and the `[n + 1]` offsets into them; both start at 0."""
    if len(strings) == 0:
        return np.zeros(0, dtype=np.uint8), np.zeros(1, dtype=np.int64)
    data = strings.cast(pa.large_binary())
    _, ends, raw = data.buffers()
    offsets = np.frombuffer(ends, dtype=np.int64, count=len(data) + 1, offset=data.offset * 8)
    raw_bytes = np.frombuffer(raw or b"", dtype=np.uint8)
    return raw_bytes[offsets[0] : offsets[-1]], offsets - offsets[0]
