"""What can be inferred of a pupil from what is shown: exact, since the state is one of 16 and the rest is normal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from pipelines.scenarios.education.courses import LEVELS, STATES, VALUES, columns_of_moved, values_of
from pipelines.scenarios.education.world import WORLD
from pipelines.scenarios.streams import Bools, Floats


class Belief(NamedTuple):
    """Distribution of states and of the normal latents given what some modalities show."""

    state: Floats
    """`[n, S]` probability of each state."""
    mean: Floats
    """`[n, L]` expected latents."""
    deviation: Floats
    """`[n, L]` standard deviations of the normal latents, given what is shown; 0 for those with levels."""


def believed(
    shown: Mapping[str, Floats], present: Mapping[str, Bools], modalities: Sequence[str], prior: Floats
) -> Belief:
    """What is known from the standardized views `[n, k]` of these modalities, where they are present.

    P(s|v) ∝ P(s) Π N(v_j; value_j(s), noise_j²) over the views of latents with levels; for a normal latent z ~ N(0, 1)
    with views v_j: precision = 1 + Σ noise_j⁻², mean = Σ v_j noise_j⁻² / precision (Bishop, Pattern Recognition and
    Machine Learning, eq. 2.141-2.142). Prior `[S]`: shares of the states among all rows.
    """
    moved = columns_of_moved()
    rows = len(next(iter(present.values())))
    likelihood = np.zeros((len(moved), rows, LEVELS))  # its logarithm, for each latent with levels
    precision, weighted = np.ones((rows, len(WORLD.names))), np.zeros((rows, len(WORLD.names)))
    for modality in modalities:
        there, noises = present[modality], WORLD.noises(modality)
        views = shown[modality] * np.sqrt(1 + noises**2)
        for index, noise, view in zip(WORLD.columns(modality), noises, views.T, strict=True):
            if index in moved:
                off = (view[:, None] - VALUES) / noise  # [n, LEVELS]
                likelihood[moved.index(index)] -= 0.5 * there[:, None] * off**2
            precision[:, index] += there * noise**-2
            weighted[:, index] += there * view * noise**-2
    logs = np.log(prior) + sum(one[:, levels] for one, levels in zip(likelihood, np.array(STATES).T, strict=True))
    raised = np.exp(logs - logs.max(axis=1, keepdims=True))
    state: Floats = raised / raised.sum(axis=1, keepdims=True)
    mean, deviation = weighted / precision, precision**-0.5
    mean[:, moved] = state @ values_of(np.arange(len(STATES)))
    deviation[:, moved] = 0
    return Belief(state, mean, deviation)
