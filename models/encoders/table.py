"""Tabular values through a small network of our own: learned vectors of categories, numbers, and what is absent."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from models.arrow import Float32
from models.encoders._learned import LearnedEncoderSpec
from models.errors import ConfigError
from models.schema import UNKNOWN
from models.sequences import Sequences

if TYPE_CHECKING:
    from models.encoders._networks import EncoderNetwork

LIMIT = 6.0  # standard deviations
ABSENT, OTHER = 0, 1  # numbers of a category that is not there, and of one that the history does not have


class TableSpec(LearnedEncoderSpec):
    """Numbers and learned category vectors through a small residual network; learned from the history."""

    kind: ClassVar[str] = "table"
    modality: ClassVar[str] = "tabular"
    derived: ClassVar[frozenset[str]] = LearnedEncoderSpec.derived | {"numeric", "categories"}

    hidden: int = Field(default=128, ge=16, le=2048, multiple_of=16)
    """Width of the layers."""
    layers: int = Field(default=2, ge=0, le=8)
    """Residual layers between the first and the last."""
    category: int = Field(default=16, ge=1, le=256)
    """Width of a category's vector, at most; one of few categories is shorter."""
    dropout: float = Field(default=0.1, ge=0, lt=1)
    """Share of the coordinates that training leaves out at random."""
    field_dropout: float = Field(default=0.05, ge=0, lt=1)
    """Share of the fields that training hides as if they were absent."""
    numeric: tuple[str, ...] = ()
    """Numeric fields, in the order in which the network reads them."""
    categories: dict[str, tuple[str, ...]] = {}
    """Categorical field -> the history's categories."""

    def taught(self, values: pa.Array) -> Self:
        """With the fields' names and their categories."""
        columns = _columns(values)
        numeric = tuple(name for name, column in columns.items() if not pa.types.is_string(column.type))
        categories = {name: _categories(column) for name, column in columns.items() if name not in numeric}
        return self.model_copy(update={"numeric": numeric, "categories": categories})

    def inputs(self, values: pa.Array) -> Sequences:
        """float32 `[n, fields]`: numbers (NaN: absent), then the categories' numbers; one step each.

        Raises:
            ConfigError: the values have other fields than those that were learned from.
        """
        columns = _columns(values)
        known = (*self.numeric, *self.categories)
        if set(columns) != set(known):
            raise ConfigError(f"values must have the fields {list(known)}, as in training; got {list(columns)}")
        table = [_numbers(columns[name]) for name in self.numeric]
        table += [_codes(columns[name], learned) for name, learned in self.categories.items()]
        return Sequences.of_one_step(np.stack(table, axis=1))

    def network(self) -> EncoderNetwork:
        """The network before training."""
        from models.encoders._table import TableNetwork

        return TableNetwork(self)


def _columns(values: pa.Array) -> dict[str, pa.Array]:
    return dict(zip((field.name for field in values.type), values.flatten(), strict=True))


def _categories(column: pa.Array) -> tuple[str, ...]:
    found = pc.unique(column.drop_null()).to_pylist()
    return tuple(sorted(category for category in found if category != UNKNOWN))


def _numbers(column: pa.Array) -> Float32:
    found = column.cast(pa.float32()).fill_null(np.float32(np.nan)).to_numpy(zero_copy_only=False)
    clipped: Float32 = np.where(np.isfinite(found), found, np.float32(np.nan)).clip(-LIMIT, LIMIT)
    return clipped


def _codes(column: pa.Array, learned: tuple[str, ...]) -> Float32:
    place = pc.index_in(column, value_set=pa.array(learned, pa.string()), skip_nulls=True)
    known = pc.add(place, 2).fill_null(OTHER)
    codes: Float32 = np.where(column.is_valid(), known, ABSENT).astype(np.float32)
    return codes
