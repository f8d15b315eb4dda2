"""Event series without weights: level, spread and trend of each value, and the rhythm of the events."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pyarrow as pa
from pydantic import Field

from models.arrow import Float32, Int64, RowProduct, list_parts
from models.encoders.base import EncoderSpec
from models.hashing import hash_strings, signs
from models.segments import (
    Float64,
    position_in,
    segment_first,
    segment_last,
    segment_max,
    segment_mean,
    segment_min,
    segment_of,
    segment_quantiles,
    segment_slope,
    segment_std,
    segment_sum,
    within,
)

HOUR, DAY, WEEK = 3_600.0, 86_400.0, 604_800.0  # seconds
MONDAY = 4 * DAY  # 1970-01-05; 1970 began on a Thursday
RHYTHM_DIM = 32
LIMIT = 6.0  # no statistic of z-scores is worth more


class SeriesSummaryEncoder:
    """The rhythm in RHYTHM_DIM coordinates of its own; every statistic of every field spread over the rest."""

    def __init__(self, dim: int) -> None:
        self.dim = dim

    def __call__(self, values: pa.Array) -> Float32:
        """float32 `[n, dim]` of n series of `{time, values…}`, sorted by time; empty ones too."""
        events, offsets = list_parts(values)
        columns = dict(zip((field.name for field in events.type), events.flatten(), strict=True))
        times = columns.pop("time").to_numpy(zero_copy_only=False).astype(np.float64)
        out = np.empty((len(values), self.dim), dtype=np.float32)
        out[:, :RHYTHM_DIM] = rhythm(times, offsets)
        out[:, RHYTHM_DIM:] = self._values(columns, times, offsets)
        return out

    def _values(self, columns: dict[str, pa.Array], times: Float64, offsets: Int64) -> Float32:
        width, n = self.dim - RHYTHM_DIM, len(offsets) - 1
        if not columns or n == 0:
            return np.zeros((n, width), dtype=np.float32)
        found = {name: value_statistics(_numbers(column), times, offsets) for name, column in columns.items()}
        keys = pa.array([f"{name}\0{statistic}" for name, table in found.items() for statistic in table])
        directions = signs(hash_strings(keys), width) / np.float32(np.sqrt(len(keys)))
        features = np.stack([column for table in found.values() for column in table.values()], axis=1)
        bounded = np.clip(features, -LIMIT, LIMIT).astype(np.float32)
        return RowProduct(directions)(bounded)


class SeriesSummarySpec(EncoderSpec):
    """Moments, trend and rhythm of event series; needs no weights."""

    kind: ClassVar[str] = "series_summary"
    modality: ClassVar[str] = "series"

    dim: int = Field(128, ge=64, le=8192)
    """Length of the embedding; 32 describe the rhythm, and 13 for each value field keep all apart."""

    @property
    def output_dim(self) -> int:
        """Length of the embedding."""
        return self.dim

    def build(self) -> SeriesSummaryEncoder:
        """The encoder."""
        return SeriesSummaryEncoder(self.dim)


def value_statistics(values: Float64, times: Float64, offsets: Int64) -> dict[str, Float64]:
    """Statistics of one field, each `[n]`; 0 for an empty series."""
    owner = segment_of(offsets)
    mean, std = segment_mean(values, offsets), segment_std(values, offsets)
    place = (position_in(offsets) + 0.5) / np.maximum(np.diff(offsets), 1)[owner]
    early, late = place < 1 / 3, place > 2 / 3
    lagged, pairs = _pairs(values, offsets)
    centred = lagged - mean[segment_of(pairs)]
    covariance = segment_sum(centred[0] * centred[1], pairs) / np.maximum(np.diff(offsets), 1)
    low, middle, high = segment_quantiles(values, offsets, (0.1, 0.5, 0.9))
    return {
        "mean": mean,
        "std": std,
        "min": segment_min(values, offsets),
        "max": segment_max(values, offsets),
        "low": low,
        "median": middle,
        "high": high,
        "first": segment_first(values, offsets),
        "last": segment_last(values, offsets),
        "sum": np.arcsinh(segment_sum(values, offsets)),
        "slope": segment_slope(values, times, offsets) * _span(times, offsets),
        "late": segment_mean(values[late], within(late, offsets)) - segment_mean(values[early], within(early, offsets)),
        "lag": covariance / np.maximum(std**2, 1e-6),
    }


def rhythm(times: Float64, offsets: Int64) -> Float32:
    """`[n, RHYTHM_DIM]`: how many events, how they are spaced, and at which hours and days; never the date itself."""
    count = np.diff(offsets).astype(np.float64)
    span = _span(times, offsets)
    ends, gap_offsets = _pairs(times, offsets)
    gaps = np.log(np.maximum(ends[1] - ends[0], 1.0) / DAY)  # log days, from one second on
    seconds = np.maximum(ends[1] - ends[0], 1.0)
    low, middle, high = segment_quantiles(gaps, gap_offsets, (0.1, 0.5, 0.9))
    columns = [
        np.log1p(count) - 2,
        (np.log1p(span / DAY) - 3) * (count > 0),
        (count == 0) - (count == 1).astype(np.float64),
        np.log((count + 0.5) / (span / DAY + 1)) / 2,
        segment_mean(gaps, gap_offsets) / 2,
        segment_std(gaps, gap_offsets) - 1,
        segment_std(seconds, gap_offsets) / np.maximum(segment_mean(seconds, gap_offsets), 1.0) - 1,
        low / 2,
        middle / 2,
        high / 2,
        segment_last(gaps, gap_offsets) - middle,
        segment_slope(gaps, position_in(gap_offsets).astype(np.float64), gap_offsets) * np.diff(gap_offsets),
        *_clock(times, offsets),
    ]
    assert len(columns) == RHYTHM_DIM
    table: Float32 = np.clip(np.stack(columns, axis=1), -LIMIT, LIMIT).astype(np.float32)
    return table


def _clock(times: Float64, offsets: Int64) -> list[Float64]:
    """Circular means of the hour (2 harmonics) and the day of the week (3), and softly rooted histograms of both."""
    day, week = times / DAY, (times - MONDAY) / WEEK
    waves = [(day, 1), (day, 2), (week, 1), (week, 2), (week, 3)]
    columns = []
    for turn, harmonic in waves:
        angle = 2 * np.pi * harmonic * (turn - np.floor(turn))
        columns += [2 * segment_mean(np.cos(angle), offsets), 2 * segment_mean(np.sin(angle), offsets)]
    six_hours = np.floor((day - np.floor(day)) * 4)
    weekday = np.floor((week - np.floor(week)) * 7)
    for part in range(4):
        columns.append(3 * np.sqrt(segment_mean((six_hours == part).astype(np.float64), offsets)) - 1)
    for part in (0, 1, 2, 3, 4):
        columns.append(3 * np.sqrt(segment_mean((weekday == part).astype(np.float64), offsets)) - 1)
    columns.append(3 * np.sqrt(segment_mean((weekday >= 5).astype(np.float64), offsets)) - 1)
    return columns


def _span(times: Float64, offsets: Int64) -> Float64:
    return segment_last(times, offsets) - segment_first(times, offsets)


def _pairs(values: Float64, offsets: Int64) -> tuple[Float64, Int64]:
    """`[2, P]` neighbours within a segment (earlier, later), and the segments' offsets into the pairs."""
    owner = segment_of(offsets)
    starts = np.zeros(len(values), dtype=np.bool_)
    starts[:-1] = owner[1:] == owner[:-1]  # True where the next element is of the same segment
    at = starts.nonzero()[0]
    return np.stack([values[at], values[np.minimum(at + 1, len(values) - 1)]]), within(starts, offsets)


def _numbers(column: pa.Array) -> Float64:
    """The values as float64; what is absent or not finite counts as the mean, which is 0 for z-scores."""
    values = column.cast(pa.float64()).fill_null(0.0).to_numpy(zero_copy_only=False)
    return np.where(np.isfinite(values), values, 0.0)
