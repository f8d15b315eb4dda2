"""Tests of how training shows pictures."""

from __future__ import annotations

import pytest
import torch

from models.encoders.cnn import CnnSpec
from models.fusion.base import seeded

SIDE = 16
PICTURE = torch.arange(SIDE * SIDE * 3).reshape(1, 1, -1).remainder(200).to(torch.uint8)


def shown(seed: int, **settings: float | bool) -> torch.Tensor:
    """[SIDE, SIDE, 3] the picture as training shows it."""
    spec = CnnSpec(**{"size": SIDE, "shift": 0, "colour": 0, **settings})
    with seeded(0):
        network = spec.network()
    return network.augment(PICTURE, torch.ones(1), torch.Generator().manual_seed(seed))[0].reshape(SIDE, SIDE, 3)


def test_without_augmentation_a_picture_stays_as_it_is() -> None:
    """Every part of it can be switched off."""
    torch.testing.assert_close(shown(0), PICTURE.reshape(SIDE, SIDE, 3).float())


@pytest.mark.parametrize("seed", range(4))
def test_a_shifted_picture_repeats_its_border(seed: int) -> None:
    """What is left of it stands elsewhere, whole; it moves by 2 of 16 pixels at most."""
    plain, moved = PICTURE.reshape(SIDE, SIDE, 3).float(), shown(seed, shift=0.125)

    found = [
        (down, across)
        for down in range(-2, 3)
        for across in range(-2, 3)
        if torch.equal(
            moved[max(0, -down) : SIDE - max(0, down), max(0, -across) : SIDE - max(0, across)],
            plain[max(0, down) : SIDE + min(0, down), max(0, across) : SIDE + min(0, across)],
        )
    ]
    assert len(found) == 1


def test_pictures_are_mirrored_only_where_that_is_allowed() -> None:
    """One in two, left to right."""
    plain = PICTURE.reshape(SIDE, SIDE, 3).float()
    ways = [shown(seed, flip=True) for seed in range(12)]

    assert {torch.equal(way, plain) for way in ways} == {True, False}
    assert all(torch.equal(way, plain) or torch.equal(way, plain.flip(1)) for way in ways)


def test_light_changes_within_the_scale() -> None:
    """By up to the given part, and never beyond black or white."""
    plain, lit = PICTURE.reshape(SIDE, SIDE, 3).float(), shown(1, colour=0.2)

    assert not torch.equal(plain, lit)
    assert lit.min() >= 0
    assert lit.max() <= 255
    assert 0.8 <= lit.mean() / plain.mean() <= 1.2
