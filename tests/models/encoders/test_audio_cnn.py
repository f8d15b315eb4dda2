"""Tests of the sound network: norms that do not see padding, and stretches that are silenced."""

from __future__ import annotations

import torch

from models.encoders._audio_cnn import MaskedNorm, stretch


def test_a_norm_counts_what_is_sound() -> None:
    """Mean 2 and variance 1 of the values 1 and 3; 1000 stands behind the end."""
    norm = MaskedNorm(1).train()
    x = torch.tensor([1.0, 3.0, 1000.0]).reshape(1, 1, 3, 1)
    mask = torch.tensor([True, True, False]).reshape(1, 1, 3, 1)

    found = norm(x, mask)

    torch.testing.assert_close(found[0, 0, :2, 0], torch.tensor([-1.0, 1.0]), rtol=0, atol=1e-4)
    torch.testing.assert_close(norm.get_buffer("mean"), torch.tensor([0.2]))  # a tenth of the way from 0 to 2


def test_a_trained_norm_is_a_fixed_map() -> None:
    """(x - mean) / √variance, whatever else stands in the block."""
    norm = MaskedNorm(1).eval()
    norm.get_buffer("mean").fill_(2.0)
    norm.get_buffer("variance").fill_(4.0)
    x = torch.tensor([4.0, 1000.0]).reshape(1, 1, 2, 1)

    found = norm(x, torch.ones(1, 1, 2, 1, dtype=torch.bool))

    torch.testing.assert_close(found[0, 0, 0, 0], torch.tensor(1.0), rtol=0, atol=1e-4)


def test_a_stretch_is_whole_and_short() -> None:
    """Up to the given part of each length, in one piece, inside of it."""
    lengths = torch.tensor([40, 8, 1] * 50)

    found = stretch(lengths, 40, 0.5, torch.Generator().manual_seed(0))

    assert (found.sum(dim=1) <= lengths // 2).all()
    assert found[0::3].sum(dim=1).max() > 15
    assert (found.int().diff(dim=1).abs().sum(dim=1) <= 2).all()
    assert not (found & (torch.arange(40) >= lengths[:, None])).any()
