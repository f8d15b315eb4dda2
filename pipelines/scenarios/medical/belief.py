"""What is known of a diagnosis: exact probabilities given what some modalities show and what tests have found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from pipelines.scenarios.medical.world import MEANS, PRIOR, SIGNS, WITHIN, WORLD
from pipelines.scenarios.streams import Bools, Floats


def log_beliefs(views: Mapping[str, Floats], present: Mapping[str, Bools], modalities: Sequence[str]) -> Floats:
    """`[n, 4]` log p(diagnosis, views) up to a constant per row.

    Given the diagnosis D, a sign is N(μ_D, σ²), and views of it are the sign with noise of variances r_i². Their
    precision-weighted mean x, of precision p = Σ r_i⁻², is sufficient, and x | D ~ N(μ_D, σ² + 1/p).

    Args:
        views: modality -> `[n, k]`, not standardized.
        present: modality -> `[n]`.
        modalities: which may be seen.
    """
    rows = len(next(iter(present.values())))
    precision, weighted = np.zeros((rows, len(SIGNS))), np.zeros((rows, len(SIGNS)))
    for modality in modalities:
        named = zip(WORLD.columns(modality), WORLD.noises(modality), views[modality].T, strict=True)
        for index, noise, values in named:
            precision[:, index] += present[modality] * noise**-2
            weighted[:, index] += present[modality] * values * noise**-2
    seen = precision > 0
    safe = np.where(seen, precision, 1.0)
    x, variance = weighted / safe, WITHIN[: len(SIGNS)] ** 2 + 1 / safe  # [n, 6]
    distance = (x[:, None] - MEANS[:, : len(SIGNS)]) ** 2 / variance[:, None]  # [n, 4, 6]
    known: Floats = np.log(PRIOR) - (seen[:, None] * distance).sum(axis=2) / 2
    return known


def with_tests(log_belief: Floats, found: Floats, done: Bools) -> Floats:
    """`[n, 4]` the log beliefs after the tests that were done.

    Args:
        log_belief: `[n, 4]` before.
        found: `[n, 4]` what each test shows, or would show.
        done: `[n, 4]`.
    """
    means, within = MEANS[:, len(SIGNS) :], WITHIN[len(SIGNS) :]
    distance = ((found[:, None] - means) / within) ** 2  # [n, 4 diagnoses, 4 tests]
    updated: Floats = log_belief - (done[:, None] * distance).sum(axis=2) / 2
    return updated
