"""What every registered fusion must keep: absent modalities change nothing, shares are shares."""

from __future__ import annotations

import pickle

import pytest
import torch
from torch import Tensor

from models.fusion.base import Fusion, FusionSpec
from models.spec import discover

INPUTS = {"photo": 6, "review": 4, "visits": 8}
KINDS = sorted(discover("fusion"))
VARIANTS = [(kind, trained) for kind in KINDS for trained in (True, False)]


def spec_of(kind: str, trained: bool = True) -> FusionSpec:
    """The kind's Spec with three modalities; `dim` is 5, or follows from the settings."""
    chosen = discover("fusion")[kind]
    width = {} if "dim" in chosen.derived else {"dim": 5}
    spec = chosen.model_validate({**width, "inputs": INPUTS, "trained": trained})
    assert isinstance(spec, FusionSpec)
    return spec


def build(kind: str, trained: bool = True) -> Fusion:
    """A fusion that is not at its starting point: every trainable parameter was moved."""
    fusion = spec_of(kind, trained).build()
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in fusion.parameters():
            if trained and parameter.requires_grad:
                parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    return fusion.eval()


def rows() -> tuple[Tensor, Tensor]:
    """Seven rows: every presence pattern of three modalities but the empty one."""
    patterns = [[bool(i & 1), bool(i & 2), bool(i & 4)] for i in range(1, 8)]
    x = torch.randn(7, 3, 8, generator=torch.Generator().manual_seed(0))
    for index, width in enumerate(INPUTS.values()):
        x[:, index, width:] = 0
    return x, torch.tensor(patterns)


def test_all_kinds_are_registered() -> None:
    """The suite sees the fusions that ship."""
    assert {"attention", "concat", "gated", "late", "tensor", "weighted_sum"} <= set(KINDS)


@pytest.mark.parametrize(("kind", "trained"), VARIANTS)
def test_shapes(kind: str, trained: bool) -> None:
    """z is [B, F], shares are [B, M], both float32."""
    fused = build(kind, trained)(*rows())
    assert (fused.z.shape, fused.shares.shape) == ((7, spec_of(kind, trained).dim), (7, 3))
    assert (fused.z.dtype, fused.shares.dtype) == (torch.float32, torch.float32)


@pytest.mark.parametrize(("kind", "trained"), VARIANTS)
@pytest.mark.parametrize("junk", [float("nan"), float("inf"), 1e30])
def test_a_masked_slot_changes_no_result(kind: str, trained: bool, junk: float) -> None:
    """What stands in a masked slot, NaN included, changes no bit of the result."""
    fusion, (x, mask) = build(kind, trained), rows()
    clean, dirty = fusion(x, mask), fusion(torch.where(mask.unsqueeze(-1), x, junk), mask)
    assert torch.equal(clean.z, dirty.z)
    assert torch.equal(clean.shares, dirty.shares)


@pytest.mark.parametrize("kind", KINDS)
def test_a_masked_slot_changes_no_gradient(kind: str) -> None:
    """NaN in a masked slot reaches no gradient, and the slot itself gets none."""
    mask = rows()[1]
    gradients = []
    for junk in (0.0, float("nan")):
        fusion = build(kind)
        x = torch.where(mask.unsqueeze(-1), rows()[0], junk).requires_grad_()
        fusion(x, mask).z.square().sum().backward()
        assert x.grad is not None
        assert torch.equal(x.grad[~mask], torch.zeros_like(x.grad[~mask]))
        gradients.append([p.grad for p in fusion.parameters() if p.grad is not None])
    assert all(torch.equal(a, b) for a, b in zip(*gradients, strict=True))


@pytest.mark.parametrize(("kind", "trained"), VARIANTS)
def test_one_modality_is_fused_as_if_alone(kind: str, trained: bool) -> None:
    """With one modality present its share is 1, and z follows that modality alone."""
    fusion, (x, _) = build(kind, trained), rows()
    for index in range(3):
        mask = torch.zeros(7, 3, dtype=torch.bool)
        mask[:, index] = True
        alone = torch.zeros_like(x)
        alone[:, index] = x[:, index]
        assert torch.equal(fusion(x, mask).z, fusion(alone, mask).z)
        assert torch.equal(fusion(x, mask).shares, mask.float())


@pytest.mark.parametrize(("kind", "trained"), VARIANTS)
def test_shares_sum_to_one(kind: str, trained: bool) -> None:
    """Shares are at least 0, exactly 0 where masked, and sum to 1."""
    x, mask = rows()
    shares = build(kind, trained)(x, mask).shares
    assert (shares >= 0).all()
    assert (shares[~mask] == 0).all()
    torch.testing.assert_close(shares.sum(dim=1), torch.ones(7), rtol=0, atol=1e-6)


@pytest.mark.parametrize(("kind", "trained"), VARIANTS)
def test_parts_follow_their_own_modality(kind: str, trained: bool) -> None:
    """A modality's part is 0 where it is absent, and does not change with what the others are."""
    fusion, (x, mask) = build(kind, trained), rows()
    parts = fusion(x, mask).parts
    if parts is None:
        assert spec_of(kind).late is not None
        return
    others = x.clone()
    others[:, 1:] += 1
    again = fusion(others, mask).parts
    assert again is not None
    assert torch.equal(parts[~mask], torch.zeros_like(parts[~mask]))
    assert torch.equal(again[:, 0], parts[:, 0])


@pytest.mark.parametrize("kind", KINDS)
def test_zero_embeddings_have_shares(kind: str) -> None:
    """Embeddings of zeros (a constant has no direction) give no NaN."""
    fused = spec_of(kind).build()(torch.zeros(7, 3, 8), rows()[1])
    assert torch.isfinite(fused.z).all()
    torch.testing.assert_close(fused.shares.sum(dim=1), torch.ones(7))


@pytest.mark.parametrize("kind", KINDS)
def test_the_seed_decides_the_start(kind: str) -> None:
    """The same Spec builds the same module, another seed another one; the global generator has no say."""
    x, mask = rows()
    torch.manual_seed(1)
    first = spec_of(kind).build().eval()(x, mask).z
    torch.manual_seed(2)
    again = spec_of(kind).build().eval()(x, mask).z
    other = spec_of(kind).model_copy(update={"seed": 1}).build().eval()(x, mask).z
    assert torch.equal(first, again)
    assert not torch.allclose(first, other)


@pytest.mark.parametrize("kind", KINDS)
def test_observe_makes_the_scale_of_inputs_irrelevant(kind: str) -> None:
    """After `observe`, inputs in other units (times 100, plus 7) give the same result."""
    x, _ = rows()
    x[1:, :, :] += torch.linspace(-1, 1, 6).reshape(6, 1, 1)
    mask = torch.ones(7, 3, dtype=torch.bool)
    results = []
    for scaled in (x, 100 * x + 7):
        fusion = spec_of(kind).build().eval()
        fusion.observe(scaled, mask)
        results.append(fusion(scaled, mask).z)
    assert not torch.allclose(results[0], torch.zeros(()))
    torch.testing.assert_close(*results, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_a_vector_that_lays_modalities_apart_says_how(kind: str) -> None:
    """`late` is None where modalities are mixed; else its split gives the mask, and each one's own vector back."""
    spec, (x, mask) = spec_of(kind), rows()
    fusion = build(kind)
    if spec.late is None:
        return
    vectors, present = spec.late.split(fusion(x, mask).z)
    assert torch.equal(present, mask)
    for index in range(3):
        alone = torch.zeros_like(mask)
        alone[:, index] = True
        found = spec.late.split(fusion(x, alone).z)[0]
        assert torch.equal(found[mask[:, index], index], vectors[mask[:, index], index])


@pytest.mark.parametrize("kind", KINDS)
def test_spec_round_trip(kind: str) -> None:
    """A Spec survives its settings and pickle, and is refused with an unknown key."""
    spec = spec_of(kind)
    settings = spec.settings()
    assert settings.pop("kind") == kind
    assert type(spec).model_validate(settings) == spec
    assert pickle.loads(pickle.dumps(spec)) == spec  # noqa: S301  # our own bytes
    with pytest.raises(ValueError, match="extra"):
        type(spec).model_validate({**settings, "unknown": 1})
