"""Tests of what must hold for every published row."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from models.schema import published_embedding
from pipelines.published_rows import RowChecks
from tests.transforms.sinks.samples import DIM, rows

PATH = Path("part.parquet")


def _replace(batch: pa.RecordBatch, name: str, values: pa.Array, field: pa.Field | None = None) -> pa.RecordBatch:
    index = batch.schema.get_field_index(name)
    return batch.set_column(index, field or pa.field(name, values.type), values)


def _check(batch: pa.RecordBatch) -> list[str]:
    checks = RowChecks("customer_id", keep=["segment"])
    return checks.check_schema(PATH, batch.schema) + checks.check(PATH, batch)


def _embeddings(matrix: list[list[float]]) -> pa.Array:
    return pa.array(matrix, published_embedding("emb_photo", DIM).type)


@pytest.mark.parametrize("n", [0, 1, 10])
def test_good_rows_pass(n: int) -> None:
    """Also none, and also as a slice of more."""
    assert _check(rows(n)) == []
    assert _check(rows(n + 7).slice(5)) == []


def test_columns_passed_through_may_hold_anything() -> None:
    """Nulls in `segment` are the input's own; so are NaN."""
    assert rows(3).column("segment").null_count == 1
    assert _check(_replace(rows(2), "segment", pa.array([np.nan, np.inf]))) == []


@pytest.mark.parametrize(
    "name", ["customer_id", "has_photo", "share_photo", "issues", "fingerprint", "event_timestamp"]
)
def test_nulls_are_named(name: str) -> None:
    """No nulls in Amalgam's own columns."""
    batch = rows(2)
    nulls = pa.nulls(2, batch.schema.field(name).type)
    assert f"part.parquet: column '{name}' must hold no nulls; got 2" in _check(_replace(batch, name, nulls))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_are_named(bad: float) -> None:
    """In a list as in a plain column."""
    embeddings = _embeddings([[0] * DIM, [1, 1, bad, 1]])  # row 0 has no photo
    found = _check(_replace(rows(2), "emb_photo", embeddings, published_embedding("emb_photo", DIM)))
    assert found == ["part.parquet: column 'emb_photo' must hold finite numbers; got NaN or infinity"]


def test_a_list_of_another_length_is_named() -> None:
    """Every embedding is as long as its field says."""
    embeddings = _embeddings([[0] * DIM, [1] * (DIM - 1)])
    found = _check(_replace(rows(2), "emb_photo", embeddings, published_embedding("emb_photo", DIM)))
    assert found == ["part.parquet: column 'emb_photo' must hold lists of length 4; got 3 to 4"]


def test_numbers_behind_the_mask_are_named() -> None:
    """Row 0 has no photo: its embedding must be zero."""
    embeddings = _embeddings([[0, 0, 0.5, 0], [1] * DIM])
    found = _check(_replace(rows(2), "emb_photo", embeddings, published_embedding("emb_photo", DIM)))
    assert found == ["part.parquet: column 'emb_photo' must be zero where its mask is false; got other numbers"]


@pytest.mark.parametrize(("share", "good"), [(0.25, True), (0.250009, True), (0.26, False), (np.nan, False)])
def test_shares_sum_to_one(share: float, good: bool) -> None:
    """0.75 + share, to 1e-5; row 0 (shares 0 and 1) is good."""
    found = _check(_replace(rows(2), "share_photo", pa.array([0.0, share], pa.float32())))
    assert any("must sum to 1 in every row" in sentence and "1 such rows" in sentence for sentence in found) == (
        not good
    )


def _decided(actions: list[str | None], chances: list[float]) -> list[str]:
    """What is said of a policy's columns, which knows `call` and `mail`."""
    columns = {"action_offer": pa.array(actions, pa.string()), "prob_offer": pa.array(chances, pa.float32())}
    batch = pa.RecordBatch.from_pydict({"id": pa.array(range(len(actions))), **columns})
    return RowChecks("id", actions={"offer": ("call", "mail")}).check(PATH, batch)


def test_good_decisions_pass() -> None:
    """Every action with a probability in (0, 1]; where nothing was allowed, none with 0."""
    assert _decided(["call", "mail", "", "mail"], [1.0, 0.025, 0.0, 1e-30]) == []


@pytest.mark.parametrize("chance", [0.0, -0.1, 1.001, np.nan, np.inf])
def test_a_probability_that_cannot_be_is_named(chance: float) -> None:
    """Next month's evaluation divides by it."""
    sentence = f"column 'prob_offer' must be above 0 and at most 1, and 0 where there is no action; got {chance:.6g}, "

    assert f"part.parquet: {sentence}and 1 such rows" in _decided(["call", "mail"], [chance, 0.5])


def test_no_action_has_no_probability() -> None:
    """Nothing was drawn."""
    [sentence] = _decided(["", "call"], [0.5, 0.5])

    assert "0 where there is no action; got 0.5, and 1 such rows" in sentence


def test_an_action_that_the_policy_does_not_know_is_named() -> None:
    """It cannot have been drawn."""
    [sentence] = _decided(["call", "sms"], [0.5, 0.5])

    assert sentence == "part.parquet: column 'action_offer' must hold one of call, mail, or '' for none; got 'sms'"


def test_a_policys_columns_must_be_there() -> None:
    """The manifest says that it decided."""
    batch = pa.RecordBatch.from_pydict({"id": pa.array([1]), "action_offer": pa.array(["call"])})

    [sentence] = RowChecks("id", actions={"offer": ("call",)}).check(PATH, batch)

    assert "column 'prob_offer' must be there, since a policy decided" in sentence


@pytest.mark.parametrize("keys", [pa.array([1, 2, 1]), pa.array([b"a", b"b", b"a"]), pa.array(["ä", "b", "ä"])])
def test_repeated_keys_are_counted(keys: pa.Array) -> None:
    """Of any type, over batches."""
    checks = RowChecks("customer_id", keep=["segment"])
    batch = _replace(rows(3), "customer_id", keys)
    for part in (batch.slice(0, 2), batch.slice(2)):
        assert checks.check(PATH, part) == []
    assert checks.repeated_keys(Path("folder")) == [
        "folder: column 'customer_id' must hold each key once; got 1 keys too many"
    ]
