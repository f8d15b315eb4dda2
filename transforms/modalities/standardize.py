"""Numbers of any Arrow type as float64, and float64 as z-scores by fitted statistics."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Final, NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import AfterValidator, BeforeValidator

from models.accumulators import Float64
from models.arrow import Bool, Float32, valid_mask
from models.errors import ConfigError
from models.statistics import QUANTILES, FieldStatistics, NumberStatistics

# ASCII decimal numbers as people and programs write them, and their words for NaN and infinity.
_NUMBER: Final = r"^[+-]?(?i:(\d+\.?\d*|\.\d+)(e[+-]?\d+)?|nan|inf|infinity)$"


LONGEST = 4096
"""Bytes of a string that can be a number or a category; the digits of the longest float64 are 1,074."""


def _known_quantile(name: str) -> str:
    if name not in QUANTILES:
        raise ValueError(f"a quantile to clip at must be one of {', '.join(QUANTILES)}")
    return name


def _rising(clip: tuple[str, str]) -> tuple[str, str]:
    if float(clip[0]) >= float(clip[1]):
        raise ValueError("the lower quantile must be below the upper one")
    return clip


_Quantile = Annotated[str, BeforeValidator(str), AfterValidator(_known_quantile)]
Clip = Annotated[tuple[_Quantile, _Quantile], AfterValidator(_rising)] | None
"""Names of the fitted quantiles between which values are kept; None (null in a job file) keeps them all."""

Fields: TypeAlias = Mapping[str, FieldStatistics]


class Numbers(NamedTuple):
    """float64 values of one column, and what is wrong with them."""

    values: Float64
    """`[n]`; NaN where absent or bad."""
    non_finite: Bool
    """`[n]`: the value was NaN or an infinity."""
    bad_type: Bool
    """`[n]`: the value was a string that is no number, or longer than LONGEST."""


def is_number(found: pa.DataType) -> bool:
    """Whether values of this type are numbers: integers, floats, decimals, booleans, or only nulls."""
    types = pa.types
    checks = (types.is_integer, types.is_floating, types.is_decimal, types.is_boolean, types.is_null)
    return any(check(found) for check in checks)


def is_text(found: pa.DataType) -> bool:
    """Whether values of this type are strings, of any layout."""
    checks = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
    return any(check(found) for check in checks)


def decoded(values: pa.Array) -> pa.Array:
    """The values of a dictionary array; any other array as it is."""
    return values.dictionary_decode() if pa.types.is_dictionary(values.type) else values


def without_long(text: pa.Array) -> tuple[pa.Array, Bool]:
    """The strings, null where longer than LONGEST bytes; and where they are."""
    too_long: Bool = pc.greater(pc.binary_length(text), LONGEST).fill_null(False).to_numpy(zero_copy_only=False)
    return (pc.if_else(too_long, pa.scalar(None, text.type), text) if too_long.any() else text), too_long


def to_numbers(values: pa.Array) -> Numbers:
    """A column of numbers, or of strings that hold numbers (blank ones are absent), as float64."""
    values = decoded(values)
    bad_type = np.zeros(len(values), dtype=np.bool_)
    if is_text(values.type):
        text, too_long = without_long(values.cast(pa.large_string()))
        text = pc.ascii_trim_whitespace(text)
        parses = pc.match_substring_regex(text, _NUMBER).fill_null(False)
        blank = pc.equal(pc.binary_length(text), 0).fill_null(True)
        bad_type = too_long | pc.invert(pc.or_(parses, blank)).to_numpy(zero_copy_only=False)
        values = pc.if_else(parses, text, pa.scalar(None, pa.large_string()))
    present = valid_mask(values)
    floats = values.cast(pa.float64(), safe=False).fill_null(np.nan).to_numpy(zero_copy_only=False)
    finite = np.isfinite(floats)
    return Numbers(np.where(finite, floats, np.nan), present & ~finite, bad_type)


class Standardizer:
    """z = (clip(x) - mean) / √variance, float64 to float32.

    x is kept between two fitted quantiles first. Mean and variance are those of all values observed,
    unclipped: one pass cannot know the quantiles. A field that was constant, or never observed, gives 0.
    |z| is at most LIMIT, also where nothing was clipped.
    """

    LIMIT = 1e6  # no z-score of real data comes near; its squares still add up in float32

    def __init__(self, statistics: NumberStatistics, clip: tuple[str, str] | None) -> None:
        quantiles = statistics.quantiles
        self._low, self._high = (quantiles[q] for q in clip) if clip and quantiles else (-math.inf, math.inf)
        self._mean, self._deviation = statistics.mean, math.sqrt(statistics.variance)

    def __call__(self, values: Float64) -> Float32:
        """`[n]` z-scores of `[n]` values; NaN stays NaN."""
        if self._deviation == 0:
            return np.where(np.isnan(values), np.nan, 0).astype(np.float32)
        with np.errstate(over="ignore"):  # a difference that overflows is cut to the limit
            z = (np.clip(values, self._low, self._high) - self._mean) / self._deviation
        return np.clip(z, -self.LIMIT, self.LIMIT).astype(np.float32)


def check_fitted(statistics: Fields, fields: Mapping[str, str]) -> None:
    """Check that statistics of the right sort stand there for every field.

    Raises:
        ConfigError: naming the fields that lack them.
    """
    found = {name: fitted.kind for name, fitted in statistics.items()}
    lacking = [f"{name} ({kind})" for name, kind in fields.items() if found.get(name) != kind]
    if lacking:
        raise ConfigError(
            f"fitted statistics must hold {', '.join(lacking)}; got {found or 'none'}; run `amalgam fit JOB`"
        )


def check_names(names: tuple[str, ...], what: str) -> None:
    """Check that no name stands there twice, nor an empty one.

    Raises:
        ValueError: for pydantic, in our sentence shape.
    """
    if len({*names}) < len(names) or "" in names:
        raise ValueError(f"{what} must be names that differ from each other; got {list(names)}")
