"""What photo and review of a customer have in common."""

from __future__ import annotations

import numpy as np

from pipelines.scenarios.retail.product import kind_of
from pipelines.scenarios.retail.world import WORLD

PICTURES = 100
ROUNDS = 40


def test_a_review_tells_its_photo_from_others() -> None:
    """Who sees both exactly finds the right one of 100 photos in over 20 cases of 100; by the tastes alone in 6 to 12.

    Given a photo's view v of a taste, a review's view is N(v / (1 + p²), 1 + r² − 1 / (1 + p²)), with noises p and r.
    """
    rows = np.arange(PICTURES * ROUNDS)
    hidden = WORLD.latents(0, rows, rows * 0)
    seen = {name: WORLD.view(0, name, rows, rows * 0, hidden) for name in ("photo", "review")}
    photo, review = (seen[name][:, _columns(name)].reshape(ROUNDS, PICTURES, 3) for name in ("photo", "review"))
    noise = {name: WORLD.noises(name)[_columns(name)][:2] for name in ("photo", "review")}
    known = 1 + noise["photo"] ** 2
    spread = 1 + noise["review"] ** 2 - 1 / known
    distance = ((review[:, :, None, :2] - photo[:, None, :, :2] / known) ** 2 / (2 * spread)).sum(axis=3)
    kinds = np.vectorize(kind_of)
    other = kinds(review[:, :, None, 2]) != kinds(photo[:, None, :, 2])  # [ROUNDS, reviews, photos]
    right = np.arange(PICTURES)
    assert 0.06 < (distance.argmin(axis=2) == right).mean() < 0.12
    assert ((distance + 1e9 * other).argmin(axis=2) == right).mean() > 0.2


def _columns(modality: str) -> list[int]:
    """Where the modality's view shows the tastes and the product."""
    names = [shown.latent for shown in WORLD.views[modality]]
    return [names.index(name) for name in ("taste_bold", "taste_ornate", "product")]
