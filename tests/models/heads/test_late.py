"""Heads on a late fusion: what modalities say is pooled as the formulae have it."""

from __future__ import annotations

import math
from typing import Any

import pyarrow as pa
import pytest
import torch
from torch import Tensor

from models.heads._classifier import ClassifierHead, LogitPool
from models.heads._late import LateHead
from models.heads._quantiles import QuantilePool
from models.heads._regressor import NumberPool
from models.heads.classifier import ClassifierSpec
from models.heads.regressor import RegressorSpec
from models.late import Late, PoolName

BOTH = torch.tensor([[True, True]])


def late(pool: PoolName = "product") -> Late:
    """Two modalities of one number each."""
    return Late(modalities=2, width=1, pool=pool)


def classifier(labels: list[Any], pool: PoolName = "product") -> ClassifierSpec:
    """A classifier of these labels."""
    spec = ClassifierSpec(label="y", hidden=0, dropout=0).fitted(pa.array(labels), input_dim=4)
    return spec.model_copy(update={"late": late(pool)})


def regressor(pool: PoolName = "product", **settings: Any) -> RegressorSpec:
    """A regressor of labels −1 and 1: standardized as they are."""
    spec = RegressorSpec.model_validate({"label": "y", "hidden": 0, "dropout": 0, **settings})
    return spec.fitted(pa.array([-1.0, 1.0]), input_dim=4).model_copy(update={"late": late(pool)})


def logits(*probabilities: float) -> Tensor:
    """`[1, M, 1]` logits of two classes."""
    return torch.tensor([[[math.log(p / (1 - p))] for p in probabilities]])


def test_evidence_adds_up() -> None:
    """Prior 1/2, two modalities that each say 3/4, odds 3: together odds 9, 9/10."""
    pool = LogitPool(classifier([True, False]))
    assert pool.published(pool(logits(3 / 4, 3 / 4), BOTH)).tolist() == pytest.approx([9 / 10])


def test_the_prior_counts_once() -> None:
    """Prior odds 1/3; a modality that repeats the prior says nothing, and the other one's odds of 1 stay."""
    pool = LogitPool(classifier([True, False, False, False]))
    assert pool.published(pool(logits(1 / 4, 1 / 2), BOTH)).tolist() == pytest.approx([1 / 2])


def test_several_classes_multiply() -> None:
    """Prior (1/2, 1/4, 1/4), two modalities that say (1/4, 1/2, 1/4): p ∝ p_1 p_2 / prior = (1/8, 1, 1/4)."""
    pool = LogitPool(classifier(["a", "b", "c", "a"]))
    raw = torch.tensor([1 / 4, 1 / 2, 1 / 4]).log().expand(1, 2, 3)
    assert pool.published(pool(raw, BOTH))[0].tolist() == pytest.approx([1 / 11, 8 / 11, 2 / 11])


def test_under_mean_evidence_is_averaged() -> None:
    """Log-odds log 3 and 0 have the mean log √3."""
    pool = LogitPool(classifier([True, False], "mean"))
    assert pool.published(pool(logits(3 / 4, 1 / 2), BOTH)).tolist() == pytest.approx([3**0.5 / (1 + 3**0.5)])


@pytest.mark.parametrize("mode", ["product", "mean"])
def test_one_modality_alone_is_believed_as_it_is(mode: PoolName) -> None:
    """Where the other is absent, its place (0 by contract) counts for nothing, not for even odds."""
    pool = LogitPool(classifier([True, False, False, False], mode))
    raw, mask = torch.cat([logits(3 / 4), torch.zeros(1, 1, 1)], dim=1), torch.tensor([[True, False]])
    assert pool.published(pool(raw, mask)).tolist() == pytest.approx([3 / 4])


def test_what_was_counted_twice_is_taken_back() -> None:
    """Two copies of one opinion, right 3 times in 4: odds 9 should be 3, so the temperature is log 9 / log 3 = 2."""
    pool = LogitPool(classifier([True, False]))
    raw = logits(3 / 4, 3 / 4).expand(4, 2, 1)
    pool.calibrate(raw, BOTH.expand(4, 2), torch.tensor([1.0, 1, 1, 0]))
    assert pool.get_buffer("temperature").item() == pytest.approx(2, rel=1e-3)


def test_numbers_are_weighted_by_their_precision() -> None:
    """Residual variances 1/2 and 1/4 are precisions 2 and 4, the prior's is 1: (2 · 1 + 4 · 2) / (1 + 1 + 3) = 2."""
    pool = NumberPool(regressor())
    pool.get_buffer("variances").copy_(torch.tensor([1 / 2, 1 / 4]))
    assert pool.published(pool(torch.tensor([[[1.0], [2.0]]]), BOTH)).tolist() == pytest.approx([2])


def test_a_modality_that_knows_nothing_changes_nothing() -> None:
    """Variance 1 and a guess of 0 leave the other modality's value of 1/2 · 2 / (1 + 1) = 1/2 as it is alone."""
    pool = NumberPool(regressor())
    pool.get_buffer("variances").copy_(torch.tensor([1 / 2, 1]))
    raw = torch.tensor([[[0.5], [0.0]]])
    assert pool.published(pool(raw, BOTH)).tolist() == pytest.approx([0.5])
    assert pool.published(pool(raw, torch.tensor([[True, False]]))).tolist() == pytest.approx([0.5])


def test_variances_and_the_slope_come_from_validation_rows() -> None:
    """Labels ±1. Modality 0 says half of each, which leaves variance 1/4; modality 1 says nothing: variance 1.

    Together (4 · ±1/2) / (1 + 3 + 0) = ±1/2; the slope that makes it ±1 is 2.
    """
    pool, labels = NumberPool(regressor()), torch.tensor([1.0, -1.0])
    raw = torch.stack([labels / 2, torch.zeros(2)], dim=1).unsqueeze(-1)  # [2, 2, 1]
    pool.calibrate(raw, BOTH.expand(2, 2), labels)
    assert pool.get_buffer("variances").tolist() == pytest.approx([1 / 4, 1])
    assert pool.get_buffer("slope").item() == pytest.approx(2)
    assert pool.published(pool(raw, BOTH.expand(2, 2))).tolist() == pytest.approx([1, -1])


def test_under_mean_numbers_are_averaged() -> None:
    """(1 + 2) / 2; alone, 1."""
    pool, raw = NumberPool(regressor("mean")), torch.tensor([[[1.0], [2.0]], [[1.0], [0.0]]])
    assert pool.published(pool(raw, torch.tensor([[True, True], [True, False]]))).tolist() == pytest.approx([1.5, 1])


def test_logarithms_become_expected_values() -> None:
    """log(1 + y) = ±1 at even odds, of which nothing is known: the score is (e + 1/e) / 2 − 1, not e⁰ − 1."""
    labels = torch.tensor([math.e - 1, 1 / math.e - 1])
    spec = RegressorSpec.model_validate({"label": "y", "hidden": 0, "transform": "log", "label_std": 1.0})
    pool = NumberPool(spec.model_copy(update={"late": late()}))
    pool.calibrate(torch.zeros(2, 2, 1), BOTH.expand(2, 2), labels)
    score = pool.published(pool(torch.zeros(1, 2, 1), BOTH)).item()
    assert score == pytest.approx((math.e + 1 / math.e) / 2 - 1, rel=1e-5)


def test_quantiles_are_averaged() -> None:
    """(−1, 1) and (0, 4) become (−1/2, 5/2), under `product` too; the first alone stays as it is."""
    pool, raw = QuantilePool(regressor(quantiles=[0.1, 0.9])), torch.tensor([[[-1.0, 1.0], [0.0, 4.0]]])
    assert pool(raw, BOTH).tolist() == [[-0.5, 2.5]]
    first = torch.tensor([[True, False]])
    assert pool(torch.where(first.unsqueeze(-1), raw, 0.0), first).tolist() == [[-1, 1]]


def late_head() -> LateHead:
    """Logits are the vectors themselves."""
    head = classifier([True, False]).build()
    assert isinstance(head, LateHead)
    with torch.no_grad():
        for expert in head.experts:
            assert isinstance(expert, ClassifierHead)
            expert.net[-1].get_parameter("weight").fill_(1)
    head.eval()
    return head


def test_each_modality_has_its_own_temperature() -> None:
    """Right 3 times in 4, said with log-odds 2 and 4: temperatures 2 / log 3 and 4 / log 3, as each has alone."""
    head = late_head()
    z = torch.tensor([[2.0, 4.0, 1.0, 1.0]]).expand(4, 4)
    head.calibrate(head(z).detach(), torch.tensor([1.0, 1, 1, 0]))
    found = [dict(expert.named_buffers())["temperature"].item() for expert in head.experts]
    assert found == pytest.approx([2 / math.log(3), 4 / math.log(3)], rel=1e-3)


def test_a_modality_is_calibrated_on_the_rows_that_have_it() -> None:
    """The fifth row lacks modality 0, which is not wrong about it. One that is never there keeps 1."""
    head = late_head()
    z = torch.tensor([[2.0, 0, 1, 0]] * 4 + [[2.0, 0, 0, 0]])
    head.calibrate(head(z).detach(), torch.tensor([1.0, 1, 1, 0, 0]))
    found = [dict(expert.named_buffers())["temperature"].item() for expert in head.experts]
    assert found == pytest.approx([2 / math.log(3), 1], rel=1e-3)


def test_the_loss_is_the_mean_of_the_present_modalities() -> None:
    """Log-odds 0 and log 3 for a label of 1 cost log 2 and log 4/3; the second alone, where the first is absent."""
    head = late_head()
    z = torch.tensor([[0.0, math.log(3), 1, 1], [9.0, math.log(3), 0, 1]])
    losses = head.loss(head(z), torch.ones(2))
    assert losses.tolist() == pytest.approx([(math.log(2) + math.log(4 / 3)) / 2, math.log(4 / 3)])
