"""Tests of the encoder of tabular values."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pytest

from models.arrow import Float32
from models.encoders.feature_vector import LIMIT, FeatureVectorSpec, numeric_features
from tests.models.encoders.probe import explained

TYPE = pa.struct([("age", pa.float32()), ("segment", pa.string())])


def encode(*rows: Mapping[str, object]) -> Float32:
    """Embeddings of some rows of age and segment."""
    return FeatureVectorSpec().build()(pa.array(list(rows), TYPE))


def test_numeric_features_of_a_value_and_of_none() -> None:
    """A value stands as itself with its soft steps; an absent one as its indicator alone; a far one is cut."""
    features = numeric_features(pa.array([0.0, None, float("nan"), 1000.0], pa.float32()))

    # tanh(2(0 - s))/2 for s = -1, 0, 1
    np.testing.assert_allclose(features[0], [0, 0, 0.48201379, 0, -0.48201379], rtol=1e-6)
    assert features[1].tolist() == features[2].tolist() == [0, 1, 0, 0, 0]
    np.testing.assert_allclose(features[3], [LIMIT, 0, 0.5, 0.5, 0.5], rtol=1e-3)


def test_absent_unknown_and_empty_differ() -> None:
    """No category, one outside the vocabulary and an empty one have their own directions."""
    rows = encode(*({"age": 0.0, "segment": segment} for segment in (None, "<unknown>", "", "gold")))

    assert len(np.unique(rows, axis=0)) == 4


def test_the_same_category_of_two_fields_differs() -> None:
    """A direction belongs to a field's category, not to the word."""
    type_ = pa.struct([("a", pa.string()), ("b", pa.string())])

    rows = FeatureVectorSpec().build()(pa.array([{"a": "x", "b": "y"}, {"a": "y", "b": "x"}], type_))

    assert (rows[0] != rows[1]).any()


def test_fields_add_up() -> None:
    """What a category adds does not hang on the number beside it."""
    rows = encode(*({"age": age, "segment": segment} for age in (-1.0, 2.0) for segment in ("gold", "new")))

    np.testing.assert_allclose(rows[0] - rows[1], rows[2] - rows[3], atol=1e-6)


@pytest.mark.parametrize("field", [0, 11])
def test_a_linear_map_recovers_every_value(field: int) -> None:
    """Twelve numbers and three categories are 75 directions in 128 coordinates: all are recovered."""
    rng = np.random.default_rng(0)
    numbers = rng.normal(size=(900, 12)).astype(np.float32)
    absent = rng.random(900) < 0.1
    columns = [pa.array(column, mask=absent) for column in numbers.T]
    columns += [pa.array(rng.choice(["a", "b", "c", "d", "e"], 900)) for _ in range(3)]
    values = pa.StructArray.from_arrays(columns, [f"field {number}" for number in range(15)])

    rows = FeatureVectorSpec().build()(values)

    assert explained(rows, np.where(absent, 0, numbers[:, field]), penalty=0.1) > 0.99
    assert explained(rows, absent.astype(float), penalty=0.1) > 0.99
