"""What every modality type promises: a Spec, its input columns, and a Cleaner that never raises on data."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import ClassVar, NamedTuple, Protocol, Self

import numpy as np
import pyarrow as pa

from models.arrow import Bool
from models.schema import ISSUES_TYPE
from models.spec import Spec
from models.statistics import FieldStatistics


class Cleaned(NamedTuple):
    """What a cleaner returns, as long as its input."""

    values: pa.Array
    """Of the modality's cleaned type; null where the input was absent or unusable."""
    issues: pa.Array
    """list<string>: codes without the modality's name (`decode_failed`); empty for a good or an absent value."""


class Cleaner(Protocol):
    """Cleans and normalizes values, Arrow to Arrow."""

    def __call__(self, values: pa.Array) -> Cleaned:
        """As many values as came in; never raises because of data."""
        ...


class ModalitySpec(Spec[Cleaner]):
    """Describes one modality of a job: its input columns and its cleaning settings (job file key `type`)."""

    default_encoder: ClassVar[str]
    """The weight-free encoder that is used when the job file names none."""
    codes: ClassVar[tuple[str, ...]] = ()
    """Every issue code that the cleaner may give; docs/modalities.md says what they mean."""
    derived: ClassVar[frozenset[str]] = frozenset({"statistics"})
    cleaning_seconds: ClassVar[float] = 5e-5
    """About what cleaning a value takes of one core; only how many processes a run starts depends on it."""

    statistics: dict[str, FieldStatistics] = {}
    """What `amalgam fit` learned, for every field of `fields()`."""

    @abstractmethod
    def input_columns(self) -> tuple[str, ...]:
        """The input columns that this modality is read from."""

    @abstractmethod
    def check_types(self, schema: pa.Schema) -> list[str]:
        """One sentence for each input column whose type in `schema` this type cannot read (missing columns too)."""

    def resolve(self, schema: pa.Schema) -> Self:
        """The spec completed from the input's schema (which `check_types` accepts): what it reads by default."""
        return self

    @abstractmethod
    def gather(self, batch: pa.RecordBatch) -> pa.Array:
        """The batch's values of this modality as one array, null where absent; what the Cleaner takes."""

    def raw(self, values: pa.Array) -> pa.Array | None:
        """The bytes that alone decide what becomes of each value, as a binary array.

        Null where they are not at hand (an absent value, or one given by its path). None where there are no such bytes,
        or where finding a known embedding by them costs more than making it anew (numbers).

        Args:
            values: what `gather` gave.
        """
        if pa.types.is_dictionary(values.type):
            values = values.dictionary_decode()
        if pa.types.is_struct(values.type):
            place = values.type.get_field_index("bytes")
            values = values.field(place) if place >= 0 else values
        return values if _is_binary(values.type) else None

    def has_raw(self, schema: pa.Schema) -> bool:
        """Whether `raw` gives any bytes for an input of this schema."""
        return self.raw(self.gather(pa.RecordBatch.from_pylist([], schema=schema))) is not None

    @abstractmethod
    def cleaned_type(self) -> pa.DataType:
        """Arrow type of the cleaned values (see `models.schema`)."""

    def cleaned_bytes(self) -> int:
        """About how many bytes a cleaned value takes, where that is much; 0 where it is not."""
        kind = self.cleaned_type()
        return kind.list_size * kind.value_type.bit_width // 8 if pa.types.is_fixed_size_list(kind) else 0

    def fields(self) -> Mapping[str, str]:
        """Statistics to be fitted: field name -> `number` or `category`; empty when none are needed."""
        return {}

    def observe(self, values: pa.Array) -> Mapping[str, pa.Array]:
        """Field name -> the values (flattened, nulls dropped) from which that field's statistics are fitted."""
        return {}

    @abstractmethod
    def build(self) -> Cleaner:
        """The cleaner.

        Raises:
            ConfigError: `statistics` lacks a field of `fields()`.
        """


def _is_binary(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind))


class IssueLog:
    """Collects issue codes for the rows of one array."""

    def __init__(self, length: int) -> None:
        self._codes: dict[str, Bool] = {}
        self._length = length

    def add(self, code: str, rows: int | Bool) -> None:
        """Note `code` for one row, or for all rows where a mask is True."""
        flags = self._codes.setdefault(code, np.zeros(self._length, dtype=np.bool_))
        flags[rows] = True

    def to_arrow(self) -> pa.Array:
        """list<string> with each row's codes in alphabetical order."""
        codes = sorted(self._codes)
        flags = np.stack([self._codes[c] for c in codes], axis=1) if codes else np.zeros((self._length, 0), np.bool_)
        offsets = np.concatenate([[0], np.cumsum(flags.sum(axis=1))]).astype(np.int32)
        which = np.nonzero(flags)[1]
        values = pa.array(codes, pa.string()).take(pa.array(which, pa.int64()))
        return pa.ListArray.from_arrays(pa.array(offsets), values).cast(ISSUES_TYPE)
