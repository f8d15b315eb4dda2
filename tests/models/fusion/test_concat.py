"""Concatenation: the plain projection before training, the learned vector for what is absent."""

from __future__ import annotations

import pytest
import torch

from models.errors import ConfigError
from models.fusion._concat import ConcatFusion
from models.fusion.concat import ConcatSpec

INPUTS = {"photo": 4, "review": 3}


def build(trained: bool) -> ConcatFusion:
    """The fusion of two modalities."""
    fusion = ConcatSpec(dim=4, inputs=INPUTS, trained=trained).build()
    assert isinstance(fusion, ConcatFusion)
    return fusion


def sample() -> torch.Tensor:
    """Two rows of both modalities."""
    return torch.randn(2, 2, 4, generator=torch.Generator().manual_seed(0))


def test_without_training_it_is_a_plain_projection() -> None:
    """z = (P_photo h_photo + P_review h_review) / 2 with P_m orthogonal, and no MLP."""
    fusion = build(trained=False)
    fused = fusion(sample(), torch.ones(2, 2, dtype=torch.bool))
    blocks = fusion.get_buffer("blocks")
    assert fused.parts is not None
    assert fusion.mlp is None
    torch.testing.assert_close(blocks[0] @ blocks[0].T, torch.eye(4) / 4, atol=1e-6, rtol=0)
    torch.testing.assert_close(fused.z, fused.parts[:, 0] @ blocks[0].T + fused.parts[:, 1] @ blocks[1].T)


def test_the_vector_of_an_absent_modality_counts() -> None:
    """e_m stands in for an absent modality and nowhere else."""
    fusion = build(trained=True)
    both, photo_only = torch.tensor([[True, True]] * 2), torch.tensor([[True, False]] * 2)
    before = fusion(sample(), both).z, fusion(sample(), photo_only).z
    with torch.no_grad():
        fusion.absent[1] += 1
    after = fusion(sample(), both).z, fusion(sample(), photo_only).z
    assert torch.equal(before[0], after[0])
    assert not torch.allclose(before[1], after[1])


def test_shares_are_norms_of_contributions() -> None:
    """share_m = ‖P_m h_m‖ / Σ ‖P_j h_j‖; P_m is orthogonal up to a common factor, so ‖h_m‖ / Σ ‖h_j‖."""
    fused = build(trained=False)(sample(), torch.ones(2, 2, dtype=torch.bool))
    assert fused.parts is not None
    norms = fused.parts.norm(dim=-1)
    torch.testing.assert_close(fused.shares, norms / norms.sum(dim=1, keepdim=True))


def test_no_inputs_are_refused() -> None:
    """A fusion of nothing cannot be built."""
    with pytest.raises(ConfigError, match="at least one modality"):
        ConcatSpec().build()
