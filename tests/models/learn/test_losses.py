"""Temperature, modality dropout and the course of the learning rate."""

from __future__ import annotations

import pytest
import torch

from models.learn.losses import COLDEST, HOTTEST, cosine_rate, fit_temperature, modality_dropout


def bce(target: torch.Tensor):  # type: ignore[no-untyped-def]  # a closure for two tests
    """Mean cross-entropy of logits."""
    return lambda logits: torch.nn.functional.binary_cross_entropy_with_logits(logits, target)


def test_temperature_is_bounded_where_every_answer_is_right() -> None:
    """Perfect answers want T = 0, wrong ones T = ∞; the bounds hold both."""
    logits = torch.tensor([[3.0], [-3.0]])
    right, wrong = torch.tensor([[1.0], [0.0]]), torch.tensor([[0.0], [1.0]])
    assert fit_temperature(logits, bce(right)).item() == pytest.approx(COLDEST, abs=0.5)
    assert fit_temperature(logits, bce(wrong)).item() == pytest.approx(HOTTEST)


@pytest.mark.parametrize("probability", [0.0, 0.3, 1.0])
def test_modality_dropout_never_takes_all(probability: float) -> None:
    """Every row keeps at least one modality, and none that it does not have."""
    generator = torch.Generator().manual_seed(0)
    mask = torch.rand(2000, 4, generator=generator) > 0.5
    mask[~mask.any(dim=1), 2] = True
    shown = modality_dropout(mask, probability, generator)
    assert shown.any(dim=1).all()
    assert not (shown & ~mask).any()


def test_modality_dropout_leaves_the_stated_share_of_rows_alone() -> None:
    """A thinned row of 4 stays complete when all lots, its smallest included, exceed 1/2: once in 2⁴."""
    mask = torch.ones(20_000, 4, dtype=torch.bool)
    shown = modality_dropout(mask, 0.3, torch.Generator().manual_seed(0))
    assert (~shown).any(dim=1).float().mean().item() == pytest.approx(0.3 * (1 - 1 / 16), abs=0.01)


def test_learning_rate_rises_then_falls() -> None:
    """Over 100 steps with 10 % warm-up: 1/10 at first, 1 after ten, half way down at 55, near 0 at the end."""
    rates = [cosine_rate(step, 100, 0.1) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[10] == pytest.approx(1.0)
    assert rates[55] == pytest.approx(0.5)
    assert 0 < rates[99] < 0.001
