"""The joint network: which rows count for which head, what modalities learn alone, what is judged."""

from __future__ import annotations

import math

import pyarrow as pa
import pytest
import torch

from models.fusion.base import FusionSpec
from models.fusion.late import LateSpec
from models.fusion.weighted_sum import WeightedSumSpec
from models.heads.base import LabelHeadSpec
from models.heads.classifier import ClassifierSpec
from models.heads.regressor import RegressorSpec
from models.learn.data import Examples
from models.learn.fitting import with_learned
from models.learn.network import JointNetwork, Rows, labelled, with_targets

SPEND: dict[str, LabelHeadSpec] = {"spend": RegressorSpec(label="spend", hidden=0, dropout=0)}
NAN = float("nan")


def rows_of(labels: dict[str, pa.Array]) -> Examples:
    """Two modalities of zeros, the second of which is absent from the last row."""
    count = len(next(iter(labels.values())))
    mask = torch.ones(count, 2, dtype=torch.bool)
    mask[-1, 1] = False
    return Examples({"photo": 3, "visits": 3}, torch.zeros(count, 2, 3), mask, labels, pa.array(["a"] * count))


def network_of(fusion: FusionSpec, heads: dict[str, LabelHeadSpec], examples: Examples) -> tuple[JointNetwork, Rows]:
    """The network that has learned nothing, and the rows with their targets."""
    filled, specs = with_learned(fusion, heads, examples)
    torch.manual_seed(0)
    return JointNetwork(filled, specs), with_targets(examples, specs)


def silence(network: JointNetwork) -> None:
    """Every parameter is 0: regressors say the mean, classifiers even odds."""
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()


@pytest.mark.parametrize(
    ("targets", "expected"),
    [([1.0, NAN], [True, False]), ([[1.0, 0.0], [NAN, NAN]], [True, False]), ([[1.0, NAN]], [False])],
)
def test_a_row_is_labelled_where_all_its_targets_are(targets: list[object], expected: list[bool]) -> None:
    """Of one number or of several."""
    assert labelled(torch.tensor(targets)).tolist() == expected


def test_heads_add_up_over_the_rows_that_each_knows() -> None:
    """Labels 1, 3 and null: half of one squared deviation. Two of three are known to be "a" or not: log 2 each.

    Spend and interests add up to 1/2 + log 2, whatever stands beside a null.
    """
    labels = {"spend": pa.array([1.0, 3.0, None]), "interests": pa.array([["a"], None, []], pa.list_(pa.string()))}
    heads = {**SPEND, "interests": ClassifierSpec(label="interests", hidden=0, dropout=0)}
    network, rows = network_of(WeightedSumSpec(dim=2), heads, rows_of(labels))
    silence(network)
    assert network.loss(rows, unimodal_weight=0).item() == pytest.approx(1 / 2 + math.log(2))
    assert network.judge(rows) == pytest.approx(1 / 2 + math.log(2))


def test_modalities_alone_count_where_they_are_present() -> None:
    """Labels 1, 3 and 2 are √1.5, √1.5 and 0 deviations off: losses of 3/4, 3/4 and 0 in 2, 2 and 1 present slots.

    Their mean is 3/5, weighted by 0.1. (Were the absent slot counted, it would be 1/2.)
    """
    network, rows = network_of(WeightedSumSpec(dim=2), SPEND, rows_of({"spend": pa.array([1.0, 3.0, 2.0])}))
    silence(network)
    fused = network.loss(rows, unimodal_weight=0)
    assert (network.loss(rows, unimodal_weight=0.1) - fused).item() == pytest.approx(0.1 * 3 / 5)


@pytest.mark.parametrize("trained", [True, False])
def test_only_what_helps_is_trained(trained: bool) -> None:
    """A fusion that stays as seeded needs no losses of modalities alone; a late one is nothing else."""
    examples = rows_of({"spend": pa.array([1.0, 3.0, 2.0])})
    assert len(network_of(WeightedSumSpec(dim=2, trained=trained), SPEND, examples)[0].unimodal) == 2 * trained
    assert len(network_of(LateSpec(width=2, trained=trained), SPEND, examples)[0].unimodal) == 0


def test_a_head_without_validation_labels_stays_as_trained() -> None:
    """Its temperature is 1; the other head's is not."""
    known = pa.array([True, False, True, True])
    heads: dict[str, LabelHeadSpec] = {name: ClassifierSpec(label=name) for name in ("known", "unknown")}
    network, rows = network_of(WeightedSumSpec(dim=2), heads, rows_of({"known": known, "unknown": known}))
    rows.targets["unknown"][:] = NAN
    network.calibrate(rows)
    found = {name: head.get_buffer("temperature").item() for name, head in network.label_heads()}
    assert found["unknown"] == 1
    assert found["known"] != 1
