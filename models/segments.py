"""Statistics of the consecutive segments of a flat array: sums, means, extremes, quantiles; no loop over segments."""

from __future__ import annotations

from typing import TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from models.arrow import Bool, Int64

Float64: TypeAlias = npt.NDArray[np.float64]
S = TypeVar("S", np.float64, np.uint64, np.int64)

# `values` is [..., N] everywhere: segments lie along the last axis, segment i is values[..., offsets[i]:offsets[i+1]].


def segment_of(offsets: Int64) -> Int64:
    """`[N]`: the segment that each element belongs to."""
    return np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))


def position_in(offsets: Int64) -> Int64:
    """`[N]`: each element's place within its own segment, from 0 on."""
    return np.arange(offsets[-1]) - np.repeat(offsets[:-1], np.diff(offsets))


def segment_sum(values: npt.NDArray[S], offsets: Int64) -> npt.NDArray[S]:
    """`[..., n]` sums; 0 for an empty segment."""
    return _reduce(np.add, values, offsets, 0)


def segment_min(values: Float64, offsets: Int64, empty: float = 0.0) -> Float64:
    """`[..., n]` minima; `empty` for an empty segment."""
    return _reduce(np.minimum, values, offsets, empty)


def segment_max(values: Float64, offsets: Int64, empty: float = 0.0) -> Float64:
    """`[..., n]` maxima; `empty` for an empty segment."""
    return _reduce(np.maximum, values, offsets, empty)


def segment_mean(values: Float64, offsets: Int64) -> Float64:
    """`[..., n]` means; 0 for an empty segment."""
    return segment_sum(values, offsets) / np.maximum(np.diff(offsets), 1)


def segment_std(values: Float64, offsets: Int64) -> Float64:
    """`[..., n]` standard deviations (population); 0 for an empty segment. Two passes, so that nothing cancels."""
    centred = values - segment_mean(values, offsets)[..., segment_of(offsets)]
    return np.sqrt(segment_mean(centred * centred, offsets))


def segment_slope(values: Float64, times: Float64, offsets: Int64) -> Float64:
    """`[..., n]` least-squares slopes of values over times; 0 where all times of a segment are equal."""
    owner = segment_of(offsets)
    time = times - segment_mean(times, offsets)[..., owner]
    centred = values - segment_mean(values, offsets)[..., owner]
    spread = segment_sum(time * time, offsets)
    return segment_sum(time * centred, offsets) / np.where(spread > 0, spread, 1.0)


def segment_first(values: Float64, offsets: Int64) -> Float64:
    """`[..., n]` first elements; 0 for an empty segment."""
    return _pick(values, offsets, offsets[:-1])


def segment_last(values: Float64, offsets: Int64) -> Float64:
    """`[..., n]` last elements; 0 for an empty segment."""
    return _pick(values, offsets, offsets[1:] - 1)


def segment_quantiles(values: Float64, offsets: Int64, levels: tuple[float, ...]) -> Float64:
    """`[len(levels), ..., n]` lower quantiles (an element of the segment, never interpolated); 0 for an empty one."""
    ordered = _sorted_within(values, offsets)
    lengths = np.diff(offsets)
    return np.stack(
        [
            _pick(ordered, offsets, offsets[:-1] + np.floor(level * (lengths - 1) + 0.5).astype(np.int64))
            for level in levels
        ]
    )


def within(keep: Bool, offsets: Int64) -> Int64:
    """`[n + 1]` offsets of the same segments after only the elements where `keep` is True are left."""
    return np.concatenate([[0], np.cumsum(keep)])[offsets]


def _reduce(ufunc: np.ufunc, values: npt.NDArray[S], offsets: Int64, empty: float) -> npt.NDArray[S]:
    # `reduceat` answers with the next segment's first element for an empty one, so those are left out of its list.
    filled = np.diff(offsets) > 0
    out = np.full((*values.shape[:-1], len(filled)), empty, dtype=values.dtype)
    if filled.any():
        out[..., filled] = ufunc.reduceat(values, offsets[:-1][filled], axis=-1)
    return out


def _pick(values: Float64, offsets: Int64, index: Int64) -> Float64:
    filled = np.diff(offsets) > 0
    out = np.zeros((*values.shape[:-1], len(filled)))
    out[..., filled] = values[..., index[filled]]
    return out


def _sorted_within(values: Float64, offsets: Int64) -> Float64:
    # One sort of integers instead of one per segment: the segment's number in the upper half, in the lower half the
    # float32 as an integer of the same order (all bits of a negative one flipped, else only the sign bit).
    bits = values.astype(np.float32).view(np.uint32)
    ordered = np.where(bits >> 31, ~bits, bits | np.uint32(1 << 31))
    keys = np.sort(segment_of(offsets).astype(np.uint64) << np.uint64(32) | ordered, axis=-1)
    low = keys.astype(np.uint32)
    return np.where(low >> 31, low & np.uint32((1 << 31) - 1), ~low).view(np.float32).astype(np.float64)
