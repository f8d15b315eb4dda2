"""Event series through a recurrent network of our own, trained on the history."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal, Self

import numpy as np
import pyarrow as pa
from pydantic import Field

from models.arrow import Float32, Int64, list_parts
from models.encoders._learned import LearnedEncoderSpec
from models.errors import ConfigError
from models.segments import Float64, position_in
from models.sequences import Sequences

if TYPE_CHECKING:
    from models.encoders._networks import EncoderNetwork

DAY, WEEK = 86_400.0, 604_800.0  # seconds
MONDAY = 4 * DAY  # 1970-01-05; 1970 began on a Thursday
LIMIT = 6.0  # standard deviations
TIME_FEATURES = 6


class RnnSeriesSpec(LearnedEncoderSpec):
    """A recurrent network along the events of a series, in both directions; learned from the history."""

    kind: ClassVar[str] = "rnn_series"
    modality: ClassVar[str] = "series"
    derived: ClassVar[frozenset[str]] = LearnedEncoderSpec.derived | {"fields"}

    cell: Literal["gru", "lstm"] = "gru"
    """The recurrent cell."""
    max_events: int = Field(default=128, ge=1, le=4096)
    """Events that are read: the latest ones."""
    hidden: int = Field(default=64, ge=16, le=1024, multiple_of=16)
    """Width of the state, in each direction."""
    dropout: float = Field(default=0.1, ge=0, lt=1)
    """Share of the coordinates that training leaves out at random."""
    event_dropout: float = Field(default=0.1, ge=0, lt=1)
    """Share of the events that training leaves out."""
    fields: tuple[str, ...] = ()
    """The events' values, in the order in which the network reads them."""

    def taught(self, values: pa.Array) -> Self:
        """With the names of the values."""
        names = tuple(field.name for field in values.type.value_type if field.name != "time")
        return self.model_copy(update={"fields": names})

    def inputs(self, values: pa.Array) -> Sequences:
        """Per event: time since the one before, hour and day of the week as angles, values, and which are absent.

        Raises:
            ConfigError: the series have other values than those that were learned from.
        """
        events, offsets = list_parts(values)
        columns = dict(zip((field.name for field in events.type), events.flatten(), strict=True))
        times = columns.pop("time").to_numpy(zero_copy_only=False).astype(np.float64)
        if tuple(columns) != self.fields:
            raise ConfigError(f"series must have the values {list(self.fields)}, as in training; got {list(columns)}")
        numbers = [column for name in self.fields for column in _numbers(columns[name])]
        steps = np.concatenate(
            [time_features(times, offsets), np.stack(numbers, axis=1)] if numbers else [time_features(times, offsets)],
            axis=1,
        )
        return _latest(Sequences(steps, offsets), self.max_events)

    @property
    def features(self) -> int:
        """Numbers per event."""
        return TIME_FEATURES + 2 * len(self.fields)

    def network(self) -> EncoderNetwork:
        """The network before training."""
        from models.encoders._rnn_series import RnnSeriesNetwork

        return RnnSeriesNetwork(self)


def time_features(times: Float64, offsets: Int64) -> Float32:
    """float32 `[events, TIME_FEATURES]`: log days since the event before, whether it is the first, two angles."""
    first = position_in(offsets) == 0
    gap = np.diff(times, prepend=times[:1])
    gap = np.log(np.where(first, DAY, np.maximum(gap, 1.0)) / DAY) / 3  # one second to a year: -3.8 to 2
    day, week = (2 * np.pi * ((times - start) / length % 1.0) for start, length in ((0.0, DAY), (MONDAY, WEEK)))
    columns = [gap, first, np.sin(day), np.cos(day), np.sin(week), np.cos(week)]
    table: Float32 = np.stack(columns, axis=1).astype(np.float32)
    return table


def _numbers(column: pa.Array) -> tuple[Float32, Float32]:
    """The values, 0 where absent, and where they are absent."""
    found = column.cast(pa.float32()).fill_null(np.float32(np.nan)).to_numpy(zero_copy_only=False)
    absent = ~np.isfinite(found)
    return np.where(absent, np.float32(0), found).clip(-LIMIT, LIMIT), absent.astype(np.float32)


def _latest(series: Sequences, most: int) -> Sequences:
    lengths = series.lengths
    if not (lengths > most).any():
        return series
    kept = np.minimum(lengths, most)
    ends = np.concatenate([[0], np.cumsum(kept)])
    place = np.repeat(series.offsets[1:] - ends[1:], kept) + np.arange(ends[-1])
    return Sequences(series.steps[place], ends)
