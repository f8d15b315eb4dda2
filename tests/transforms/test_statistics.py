"""The CombineFn: directly, and in a real Beam pipeline."""

from __future__ import annotations

import pickle

import apache_beam as beam
import pyarrow as pa
import pytest
from apache_beam.testing.util import assert_that, equal_to

from models.statistics import CategoryStatistics, NumberStatistics, Statistics
from transforms.modalities.tabular import TabularSpec
from transforms.statistics import FitStatistics, Observed, observe

FIELDS = {"profile": {"age": "number", "segment": "category"}, "visits": {"amount": "number"}}
BATCHES: list[Observed] = [
    {"profile": {"age": pa.array([1.0, 2.0]), "segment": pa.array(["a", "b"])}, "visits": {}},
    {"profile": {"age": pa.array([6.0]), "segment": pa.array(["b"])}},
    {},
]


def fit(combine: FitStatistics, *bundles: list[Observed]) -> Statistics:
    """What a runner does: an accumulator per bundle, each through pickle, then merged."""
    states = []
    for bundle in bundles:
        state = combine.create_accumulator()
        for observed in bundle:
            state = combine.add_input(state, observed)
        states.append(pickle.loads(pickle.dumps(state)))  # noqa: S301  # our own bytes
    return combine.extract_output(combine.merge_accumulators(states))


def test_statistics_of_all_batches() -> None:
    """Ages 1, 2, 6: mean 3, variance (4 + 1 + 9) / 3; the second segment is the more frequent one."""
    found = fit(FitStatistics(FIELDS), BATCHES)
    age, segment = found["profile"]["age"], found["profile"]["segment"]
    assert isinstance(age, NumberStatistics)
    assert (age.count, age.mean, age.variance) == (3, 3.0, 14 / 3)
    assert segment == CategoryStatistics(count=3, vocabulary=("b", "a"))


def test_a_field_never_seen_has_count_zero() -> None:
    """It is there, so that a Spec finds every field that it asked for."""
    found = fit(FitStatistics(FIELDS), BATCHES)
    assert found["visits"]["amount"].count == 0


def test_bundles_and_their_order_do_not_matter() -> None:
    """One bundle, three in either order, and an empty one give the same."""
    combine = FitStatistics(FIELDS)
    one, two, three = ([batch] for batch in BATCHES)
    assert fit(combine, BATCHES) == fit(combine, one, two, three) == fit(combine, three, [], two, one)


def test_merging_leaves_the_parts_as_they_are() -> None:
    """A runner may merge the same accumulator again after a failure."""
    combine = FitStatistics(FIELDS)
    state = combine.add_input(combine.create_accumulator(), BATCHES[0])
    first = combine.extract_output(combine.merge_accumulators([state, state]))
    assert combine.extract_output(combine.merge_accumulators([state, state])) == first


def test_observe_asks_each_modality_that_needs_statistics() -> None:
    """From a whole input batch to what the CombineFn takes, nulls left out."""
    spec = TabularSpec(numeric=("age",), categorical=("segment",))
    batch = pa.record_batch({"age": pa.array([1, None]), "segment": pa.array(["a ", "b"]), "other": pa.array([0, 0])})
    found = observe({"profile": spec}, batch)
    assert {name: values.to_pylist() for name, values in found["profile"].items()} == {
        "age": [1.0],
        "segment": ["a", "b"],
    }


@pytest.mark.beam
def test_in_a_real_pipeline() -> None:
    """Beam's own coders, bundles and merging give what the direct call gives."""
    expected = fit(FitStatistics(FIELDS), BATCHES)
    with beam.Pipeline(runner="FnApiRunner") as pipeline:
        found = pipeline | beam.Create(BATCHES) | beam.CombineGlobally(FitStatistics(FIELDS))
        assert_that(found, equal_to([expected]))
