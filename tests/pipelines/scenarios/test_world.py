"""Latents, views, and what can be inferred back."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.scenarios.world import Shown, World

WORLD = World(
    {"taste": 1.0, "mood": 0.5, "haste": 0.25},
    {"review": (Shown("mood", 0.7), Shown("taste", 0.9)), "call": (Shown("mood", 0.8), Shown("haste", 0.4))},
)


def test_latents_are_standard_normal() -> None:
    """Mean 0 and variance 1 for every latent, over customers and occasions."""
    drawn = WORLD.latents(0, np.arange(4_000) // 2, np.arange(4_000) % 2)
    # 2,000 customers: three standard errors of a mean are at most 0.067, of a variance 0.095.
    np.testing.assert_allclose(drawn.mean(axis=0), 0, atol=0.067)
    np.testing.assert_allclose(drawn.var(axis=0), 1, atol=0.095)


def test_tastes_stay_and_moods_change() -> None:
    """A taste is the same on every occasion, a mood is half new."""
    customers = np.arange(3_000)
    before, after = WORLD.latents(0, customers, customers * 0), WORLD.latents(0, customers, customers * 0 + 1)
    taste, mood = WORLD.names.index("taste"), WORLD.names.index("mood")
    np.testing.assert_array_equal(before[:, taste], after[:, taste])
    assert np.corrcoef(before[:, mood], after[:, mood])[0, 1] == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("modality", WORLD.views)
def test_standardized_views_have_variance_one(modality: str) -> None:
    """A view is latent plus noise; divided by √(1 + noise²) its variance is 1."""
    customers = np.arange(3_000)
    shown = WORLD.standardized(
        modality, WORLD.view(0, modality, customers, customers * 0, WORLD.latents(0, customers, customers * 0))
    )
    np.testing.assert_allclose(shown.var(axis=0), 1, atol=0.08)  # three standard errors: 3 √(2 / 3000)


def test_posterior_is_the_regression_on_the_views() -> None:
    """The posterior mean is what least squares finds in a large sample, and its covariance the residuals'."""
    rng, rows = np.random.default_rng(0), 200_000
    hidden = rng.standard_normal((rows, len(WORLD.names)))
    shown = {
        m: hidden[:, WORLD.columns(m)] + WORLD.noises(m) * rng.standard_normal((rows, len(WORLD.views[m])))
        for m in WORLD.views
    }
    known = WORLD.posterior(shown, ["review", "call"], rows)
    stacked = np.concatenate([shown["review"], shown["call"]], axis=1)
    fitted = stacked @ np.linalg.lstsq(stacked, hidden, rcond=None)[0]
    np.testing.assert_allclose(known.mean, fitted, atol=0.05)
    np.testing.assert_allclose(known.covariance, np.cov(hidden - fitted, rowvar=False), atol=0.02)


def test_nothing_shown_leaves_the_prior() -> None:
    """Without views the posterior is N(0, I)."""
    known = WORLD.posterior({}, [], 3)
    np.testing.assert_array_equal(known.mean, np.zeros((3, len(WORLD.names))))
    np.testing.assert_array_equal(known.covariance, np.eye(len(WORLD.names)))
