"""Tests of the tabular network's inputs: absent and unknown values, and fields that must be those of the training."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
import torch

from models.encoders.table import ABSENT, OTHER, TableSpec
from models.errors import ConfigError
from models.fusion.base import seeded
from models.schema import UNKNOWN

TYPE = pa.struct([("age", pa.float32()), ("segment", pa.string()), ("spend", pa.float32())])


def values(*rows: tuple[float | None, str | None, float | None]) -> pa.Array:
    """Cleaned structs."""
    return pa.array([{"age": a, "segment": b, "spend": c} for a, b, c in rows], TYPE)


TAUGHT = TableSpec(dim=32).taught(values((0.5, "new", 1.0), (None, "gold", 2.0), (1.0, UNKNOWN, 0.0)))


def test_names_and_categories_are_learned() -> None:
    """Numbers in their order, categories in order of the alphabet; the unknown is no category."""
    assert TAUGHT.numeric == ("age", "spend")
    assert TAUGHT.categories == {"segment": ("gold", "new")}


def test_what_is_absent_or_unknown_has_a_number_of_its_own() -> None:
    """Far outliers are cut at six standard deviations, and what is no number is absent."""
    rows = values((None, None, 99.0), (float("inf"), "platinum", -99.0), (0.25, "new", 0.0), (0.0, UNKNOWN, 0.0))

    found = TAUGHT.inputs(rows).steps

    np.testing.assert_array_equal(found[:, 0], np.array([np.nan, np.nan, 0.25, 0.0], np.float32))
    assert found[:, 1].tolist() == [6.0, -6.0, 0.0, 0.0]
    assert found[:, 2].tolist() == [ABSENT, OTHER, 3, OTHER]  # gold is 2, new is 3


def test_the_order_of_fields_does_not_matter() -> None:
    """Fields are found by their names."""
    rows = values((0.5, "new", 1.0))
    turned = pa.StructArray.from_arrays(list(reversed(rows.flatten())), ["spend", "segment", "age"])

    np.testing.assert_array_equal(TAUGHT.inputs(turned).steps, TAUGHT.inputs(rows).steps)


def test_other_fields_than_in_training_are_refused() -> None:
    """Named, both."""
    other = pa.StructArray.from_arrays([pa.array([1.0], pa.float32())], ["age"])

    with pytest.raises(ConfigError, match=r"must have the fields \['age', 'spend', 'segment'\], as in training"):
        TAUGHT.inputs(other)


def test_hidden_fields_are_as_if_they_were_absent() -> None:
    """With a probability of nearly 1 all of a row is hidden."""
    with seeded(0):
        network = TAUGHT.model_copy(update={"field_dropout": 0.999999}).network()
    inputs = TAUGHT.inputs(values((0.5, "new", 1.0)))
    nothing = TAUGHT.inputs(values((None, None, None)))

    shown, _ = network.augment(
        torch.from_numpy(inputs.padded(np.arange(1), 1)), torch.ones(1), torch.Generator().manual_seed(0)
    )

    np.testing.assert_array_equal(shown.numpy(), nothing.padded(np.arange(1), 1))
