"""Attention fusion: the same numbers as torch's own layer, heads that fit, shares from the summary's attention."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from models.errors import ConfigError
from models.fusion._attention import AttentionFusion, Layer
from models.fusion.attention import AttentionSpec

INPUTS = {"photo": 4, "review": 3, "visits": 2}


def rows(count: int) -> torch.Tensor:
    """`[count, 3, 4]` numbers."""
    return torch.randn(count, 3, 4, generator=torch.Generator().manual_seed(0))


def test_a_layer_computes_what_torchs_layer_computes() -> None:
    """Torch's pre-norm encoder layer with the same weights and key padding gives the same tokens."""
    torch.manual_seed(0)
    own = Layer(AttentionSpec(dim=8, heads=2, inputs=INPUTS)).eval()
    peer = nn.TransformerEncoderLayer(8, 2, 16, activation="gelu", batch_first=True, norm_first=True).eval()
    state = own.state_dict()
    names = {
        "queries_keys_values.weight": "self_attn.in_proj_weight",
        "queries_keys_values.bias": "self_attn.in_proj_bias",
        "out.weight": "self_attn.out_proj.weight",
        "out.bias": "self_attn.out_proj.bias",
        "wide.weight": "linear1.weight",
        "wide.bias": "linear1.bias",
        "narrow.weight": "linear2.weight",
        "narrow.bias": "linear2.bias",
        **{f"norms.{i}.{what}": f"norm{i + 1}.{what}" for i in range(2) for what in ("weight", "bias")},
    }
    peer.load_state_dict({names[name]: value for name, value in state.items()})
    tokens, seen = torch.randn(5, 4, 8), torch.rand(5, 4) > 0.4
    seen[:, 0] = True
    # The first token of each row is compared: torch zeroes the outputs of tokens that are padding.
    torch.testing.assert_close(own(tokens, seen)[0][:, 0], peer(tokens, src_key_padding_mask=~seen)[:, 0])


@pytest.mark.parametrize(("dim", "heads", "used"), [(256, 4, 4), (6, 4, 3), (5, 4, 1), (7, 8, 7)])
def test_as_many_heads_as_divide_the_width(dim: int, heads: int, used: int) -> None:
    """At most as many as asked for."""
    assert AttentionSpec(dim=dim, heads=heads).used_heads == used


def test_shares_follow_the_summarys_attention() -> None:
    """Where queries and keys are zero the summary looks at all tokens alike, and present modalities share equally."""
    fusion = AttentionSpec(dim=4, inputs=INPUTS).build().eval()
    assert isinstance(fusion, AttentionFusion)
    with torch.no_grad():
        layer = fusion.layers[0]
        assert isinstance(layer, Layer)
        layer.queries_keys_values.weight[:8] = 0
        layer.queries_keys_values.bias[:8] = 0
    fused = fusion(rows(1), torch.tensor([[True, False, True]]))
    assert fused.shares[0].tolist() == pytest.approx([0.5, 0, 0.5])


def test_modalities_of_equal_vectors_are_told_apart() -> None:
    """The type vector says which modality a token is."""
    fusion = AttentionSpec(dim=4, inputs={"left": 4, "right": 4}).build().eval()
    with torch.no_grad():
        projections = fusion.get_submodule("projections.linears")
        first, second = projections.children()
        second.load_state_dict(first.state_dict())
    x = rows(1)[:, :1].expand(1, 2, 4)
    left, right = fusion(x, torch.tensor([[True, False]])).z, fusion(x, torch.tensor([[False, True]])).z
    assert not torch.allclose(left, right, atol=1e-4)


def test_dropout_is_for_training_only() -> None:
    """Two passes differ while it trains, and agree afterwards."""
    fusion, x, mask = AttentionSpec(dim=4, inputs=INPUTS).build(), rows(9), torch.ones(9, 3) > 0
    assert not torch.equal(fusion(x, mask).z, fusion(x, mask).z)
    fusion.eval()
    assert torch.equal(fusion(x, mask).z, fusion(x, mask).z)


def test_no_inputs_are_refused() -> None:
    """A fusion of nothing cannot be built."""
    with pytest.raises(ConfigError, match="at least one modality"):
        AttentionSpec().build()
