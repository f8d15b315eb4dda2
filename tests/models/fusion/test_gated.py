"""Gated fusion: the gates' formula, and that they see the whole row."""

from __future__ import annotations

import pytest
import torch

from models.errors import ConfigError
from models.fusion._gated import GatedFusion
from models.fusion.gated import GatedSpec

INPUTS = {"photo": 4, "review": 3}
BOTH = torch.tensor([[True, True]])


def build() -> GatedFusion:
    """The fusion of two modalities, with gates that say nothing."""
    fusion = GatedSpec(dim=4, inputs=INPUTS).build()
    assert isinstance(fusion, GatedFusion)
    with torch.no_grad():
        fusion.gates.weight.zero_()
    return fusion


def sample() -> torch.Tensor:
    """One row of both modalities."""
    return torch.randn(1, 2, 4, generator=torch.Generator().manual_seed(0))


def test_gates_that_say_nothing_give_the_mean() -> None:
    """z = (tanh h_photo + tanh h_review) / 2, and shares of one half."""
    fused = build()(sample(), BOTH)
    assert fused.parts is not None
    torch.testing.assert_close(fused.z, fused.parts.tanh().mean(dim=1))
    assert fused.shares.tolist() == [[0.5, 0.5]]


def test_each_coordinate_has_its_own_gate() -> None:
    """A gate of log 3 for the first coordinate of the photo gives it 3/4 there, 1/2 elsewhere: a share of 9/16."""
    fusion = build()
    with torch.no_grad():
        fusion.gates.bias[0] = torch.log(torch.tensor(3.0))
    fused = fusion(sample(), BOTH)
    assert fused.parts is not None
    photo, review = fused.parts.tanh()[0]
    torch.testing.assert_close(fused.z[0, 0], 3 / 4 * photo[0] + 1 / 4 * review[0])
    torch.testing.assert_close(fused.z[0, 1:], (photo[1:] + review[1:]) / 2)
    assert fused.shares[0].tolist() == pytest.approx([9 / 16, 7 / 16])


def test_a_gate_may_depend_on_the_other_modality() -> None:
    """With trained gates, what the review says changes how much the photo counts."""
    fusion, x = GatedSpec(dim=4, inputs=INPUTS).build(), sample()
    other = x.clone()
    other[:, 1] += 1
    assert not torch.equal(fusion(x, BOTH).shares, fusion(other, BOTH).shares)


def test_no_inputs_are_refused() -> None:
    """A fusion of nothing cannot be built."""
    with pytest.raises(ConfigError, match="at least one modality"):
        GatedSpec().build()
