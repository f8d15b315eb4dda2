"""Weighted sum: the weights, their renormalization, and where each projection comes from."""

from __future__ import annotations

import math

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from models.errors import ConfigError
from models.fusion._weighted_sum import WeightedSumFusion
from models.fusion.weighted_sum import WeightedSumSpec

INPUTS = {"photo": 4, "review": 3, "visits": 2}


def shares(weights: dict[str, float], mask: list[bool]) -> list[float]:
    """The shares of one row under these weights."""
    spec = WeightedSumSpec(dim=4, inputs=INPUTS, weights=weights)
    found: list[float] = spec.build()(torch.ones(1, 3, 4), torch.tensor([mask])).shares[0].tolist()
    return found


def test_weights_are_renormalized_over_present_modalities() -> None:
    """Weights 2, 1, 1 give 1/2, 1/4, 1/4; without the third they give 2/3 and 1/3."""
    weights = {"photo": 2.0}
    assert shares(weights, [True, True, True]) == pytest.approx([1 / 2, 1 / 4, 1 / 4])
    assert shares(weights, [True, True, False]) == pytest.approx([2 / 3, 1 / 3, 0])


def test_a_weight_of_zero_leaves_a_modality_out() -> None:
    """Weight 0 gives share 0 while another modality is present."""
    assert shares({"photo": 0.0}, [True, True, True]) == pytest.approx([0, 1 / 2, 1 / 2])


def test_a_row_with_only_weightless_modalities_is_fused_from_them() -> None:
    """Where only modalities of weight 0 are present they share equally: the row has nothing else."""
    assert shares({"photo": 0.0, "review": 0.0}, [True, True, False]) == pytest.approx([1 / 2, 1 / 2, 0])


def test_z_is_the_weighted_sum_of_the_parts() -> None:
    """z = 2/3 h_photo + 1/3 h_review."""
    fusion = WeightedSumSpec(dim=4, inputs=INPUTS, weights={"photo": 2.0}).build()
    x: Tensor = torch.randn(1, 3, 4, generator=torch.Generator().manual_seed(0))
    fused = fusion(x, torch.tensor([[True, True, False]]))
    assert fused.parts is not None
    torch.testing.assert_close(fused.z, 2 / 3 * fused.parts[:, 0] + 1 / 3 * fused.parts[:, 1])


def test_another_modality_leaves_the_projections_as_they_are() -> None:
    """Adding a modality, in front of the others, does not change what the others become."""
    small = WeightedSumSpec(dim=4, inputs={"photo": 4}).build()
    large = WeightedSumSpec(dim=4, inputs={"call": 5, "photo": 4}).build()
    photo = torch.randn(2, 1, 4, generator=torch.Generator().manual_seed(0))
    x = torch.zeros(2, 2, 5)
    x[:, 1:, :4] = photo
    alone = small(photo, torch.ones(2, 1, dtype=torch.bool))
    beside = large(x, torch.tensor([[False, True]] * 2))
    assert torch.equal(alone.z, beside.z)


def test_projections_start_orthogonal() -> None:
    """W Wᵀ is the identity where the input is wide; Wᵀ W is (dim / width) times the identity where it is narrow."""
    fusion = WeightedSumSpec(dim=4, inputs={"wide": 9, "narrow": 2}).build()
    assert isinstance(fusion, WeightedSumFusion)
    wide, narrow = (linear.get_parameter("weight") for linear in fusion.projections.linears)
    torch.testing.assert_close(wide @ wide.T, torch.eye(4), atol=1e-6, rtol=0)
    torch.testing.assert_close(narrow.T @ narrow, 2 * torch.eye(2), atol=1e-6, rtol=0)


def test_fixed_weights_are_not_trained() -> None:
    """`mode: fixed` leaves the weights out of the trainable parameters, `static` trains them."""
    for mode, trained in (("fixed", False), ("static", True)):
        fusion = WeightedSumSpec.model_validate({"mode": mode, "inputs": INPUTS, "dim": 4}).build()
        assert fusion.get_parameter("log_weights").requires_grad is trained


@pytest.mark.parametrize("weight", [-1.0, math.nan, math.inf])
def test_impossible_weights_are_refused(weight: float) -> None:
    """A weight is a number of at least 0."""
    with pytest.raises(ValidationError):
        WeightedSumSpec(weights={"photo": weight})


def test_an_unknown_modality_is_named() -> None:
    """A weight for a modality that the job does not have is refused with the nearest known name."""
    with pytest.raises(ValidationError, match="did you mean 'photo'"):
        WeightedSumSpec(inputs=INPUTS, weights={"foto": 1.0})


def test_weights_that_are_all_zero_are_refused() -> None:
    """At least one weight must be above 0, also when the inputs are filled in later."""
    spec = WeightedSumSpec(weights=dict.fromkeys(INPUTS, 0.0))
    with pytest.raises(ConfigError, match="above 0"):
        spec.model_copy(update={"inputs": INPUTS}).build()
