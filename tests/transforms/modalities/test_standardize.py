"""Numbers of any Arrow type, and their z-scores."""

from __future__ import annotations

import math
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from pydantic import TypeAdapter, ValidationError

from models.errors import ConfigError
from models.statistics import CategoryStatistics, NumberStatistics
from transforms.modalities.standardize import Clip, Standardizer, check_fitted, to_numbers

FITTED = NumberStatistics(count=100, mean=10.0, variance=4.0, quantiles={"0.01": 6.0, "0.99": 16.0})


@pytest.mark.parametrize(
    "values",
    [
        pa.array([1, 0, None], pa.int8()),
        pa.array([1, 0, None], pa.uint64()),
        pa.array([1, 0, None], pa.float16()),
        pa.array([True, False, None]),
        pa.array([Decimal("1.00"), Decimal("0.00"), None]),
        pa.array(["1", "0", None]),
        pa.array([" +1.0 ", "0e5", ""]),
        pa.array(["1.", ".0", "  "], pa.large_string()),
        pa.array(["1", "0", None], pa.string_view()),
        pa.array([1, 0, None]).dictionary_encode(),
        pa.array(["1", "0", None]).dictionary_encode(),
    ],
    ids=lambda values: str(values.type),
)
def test_every_number_type_is_read(values: pa.Array) -> None:
    """One, zero, and nothing: as they are, without a complaint."""
    found = to_numbers(values)
    np.testing.assert_array_equal(found.values, [1.0, 0.0, math.nan])
    assert not found.non_finite.any()
    assert not found.bad_type.any()


def test_what_is_no_number_is_told_from_what_is_not_finite() -> None:
    """Words are of a bad type; NaN and infinities, also as words or too large, are not finite."""
    found = to_numbers(pa.array(["old", "NaN", "-inf", "1e999", "0x10", "1,5", "١", "nano", "7"]))
    assert found.bad_type.tolist() == [True, False, False, False, True, True, True, True, False]
    assert found.non_finite.tolist() == [False, True, True, True, False, False, False, False, False]
    np.testing.assert_array_equal(found.values, [math.nan] * 8 + [7.0])


def test_z_scores_of_clipped_values() -> None:
    """z = (x - 10) / 2, with x kept between 6 and 16; NaN stays NaN."""
    z = Standardizer(FITTED, ("0.01", "0.99"))(np.array([10.0, 12.0, -1e9, 1e9, math.nan]))
    assert z.dtype == np.float32
    np.testing.assert_array_equal(z, [0.0, 1.0, -2.0, 3.0, math.nan])


def test_z_scores_without_clipping_are_still_bounded() -> None:
    """A value beyond anything seen stays finite in float32."""
    z = Standardizer(FITTED, None)(np.array([1e300, -1.7e308, 30.0]))
    np.testing.assert_array_equal(z, [1e6, -1e6, 10.0])


@pytest.mark.parametrize("count", [0, 5])
def test_constant_and_unseen_fields_give_zero(count: int) -> None:
    """Without variance there is nothing to divide by."""
    fitted = NumberStatistics(count=count, mean=3.0, variance=0.0, quantiles={})
    np.testing.assert_array_equal(Standardizer(fitted, ("0.01", "0.99"))(np.array([3.0, 9.0])), [0.0, 0.0])


def test_quantiles_to_clip_at_may_be_written_as_numbers() -> None:
    """YAML reads 0.01 as a number."""
    assert TypeAdapter(Clip).validate_python([0.01, "0.99"]) == ("0.01", "0.99")


@pytest.mark.parametrize("clip", [("0.02", "0.99"), ("0.99", "0.01"), ("0.5", "0.5"), ("0.01",)])
def test_unknown_or_falling_quantiles_are_refused(clip: tuple[str, ...]) -> None:
    """Only what `fit` keeps can be clipped at, from low to high."""
    with pytest.raises(ValidationError):
        TypeAdapter(Clip).validate_python(clip)


def test_lacking_statistics_name_the_fields_and_the_command() -> None:
    """Neither a missing field nor one of the other sort will do."""
    fitted = {"age": FITTED, "segment": FITTED}
    with pytest.raises(ConfigError, match=r"segment \(category\), spend \(number\).*amalgam fit JOB"):
        check_fitted(fitted, {"age": "number", "segment": "category", "spend": "number"})
    check_fitted({"segment": CategoryStatistics(count=0, vocabulary=())}, {"segment": "category"})
