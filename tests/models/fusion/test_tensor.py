"""Low-rank tensor fusion: the product, and 1 in the place of what is absent."""

from __future__ import annotations

import pytest
import torch

from models.errors import ConfigError
from models.fusion._tensor import TensorFusion
from models.fusion.tensor import TensorSpec

INPUTS = {"photo": 2, "review": 2}


def build() -> TensorFusion:
    """Rank 1, weight 1: z = Π_m F_m [1; h_m], with F_m [1; h_m] = (1 + 2 h_m[0], 1 + 3 h_m[1]) and h_m = x_m."""
    fusion = TensorSpec(dim=2, rank=1, inputs=INPUTS).build()
    assert isinstance(fusion, TensorFusion)
    with torch.no_grad():
        fusion.weights.fill_(1)
        for linear, factor in zip(fusion.projections.linears, fusion.factors, strict=True):
            linear.get_parameter("weight").copy_(torch.eye(2))
            factor.get_parameter("weight").copy_(torch.diag(torch.tensor([2.0, 3.0])))
    return fusion


def test_modalities_multiply() -> None:
    """(1 + 2·1) · (1 + 2·2) = 15 and (1 + 3·1) · (1 + 3·0) = 4."""
    x = torch.tensor([[[1.0, 1.0], [2.0, 0.0]]])
    assert build()(x, torch.tensor([[True, True]])).z.tolist() == [[15, 4]]


def test_an_absent_modality_is_a_factor_of_one() -> None:
    """Only the photo: 1 + 2·1 and 1 + 3·1."""
    x = torch.tensor([[[1.0, 1.0], [2.0, 0.0]]])
    assert build()(x, torch.tensor([[True, False]])).z.tolist() == [[3, 4]]


def test_shares_are_distances_from_one() -> None:
    """Factors (3, 4) and (5, 1) are √(2² + 3²) and √(4² + 0²) away from 1."""
    x = torch.tensor([[[1.0, 1.0], [2.0, 0.0]]])
    shares = build()(x, torch.tensor([[True, True]])).shares[0].tolist()
    assert shares == pytest.approx([13**0.5 / (13**0.5 + 4), 4 / (13**0.5 + 4)])


def test_products_of_the_rank_are_added() -> None:
    """z = Σ_r w_r Π_m …: with weights 2 and 0 of rank 2, twice the first product, and nothing of the second."""
    fusion = TensorSpec(dim=3, rank=2, inputs=INPUTS).build()
    assert isinstance(fusion, TensorFusion)
    x, mask = torch.randn(1, 2, 2, generator=torch.Generator().manual_seed(0)), torch.tensor([[True, True]])
    parts = fusion(x, mask).parts
    assert parts is not None
    with torch.no_grad():
        fusion.weights.copy_(torch.tensor([2.0, 0.0]))
        first = [factor(parts[:, m])[:, :3] for m, factor in enumerate(fusion.factors)]
        torch.testing.assert_close(fusion(x, mask).z, 2 * first[0] * first[1])


def test_no_inputs_are_refused() -> None:
    """A fusion of nothing cannot be built."""
    with pytest.raises(ConfigError, match="at least one modality"):
        TensorSpec().build()
