"""The hidden factors behind a customer, what each modality shows of them, and what can be inferred back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np

from pipelines.scenarios.streams import Floats, Ints, Stream, normals

LATENTS = ("taste_bold", "taste_ornate", "mood", "wealth", "loyalty", "haste", "intent")
"""Each is standard normal over customers and occasions, and independent of the others."""

# Share of a latent's variance that stays with the customer; the rest is new at every occasion.
PERSISTENCE = np.array([1.0, 1.0, 0.5, 1.0, 1.0, 0.5, 0.5])


class Shown(NamedTuple):
    """One latent as a modality shows it: with independent normal noise of standard deviation `noise`."""

    latent: str
    noise: float


VIEWS: Mapping[str, tuple[Shown, ...]] = {
    "photo": (Shown("taste_bold", 0.45), Shown("taste_ornate", 0.45), Shown("wealth", 1.2)),
    "review": (Shown("mood", 0.7), Shown("loyalty", 0.9)),
    "call": (Shown("mood", 0.8), Shown("haste", 0.45)),
    "profile": (Shown("wealth", 0.6), Shown("loyalty", 1.0)),
    "visits": (Shown("loyalty", 0.9), Shown("intent", 0.45)),
}
"""Modality -> what it shows. No modality shows all that the labels depend on."""

VIEW_STREAM: Mapping[str, Stream] = {
    "photo": Stream.VIEW_PHOTO,
    "review": Stream.VIEW_REVIEW,
    "call": Stream.VIEW_CALL,
    "profile": Stream.VIEW_PROFILE,
    "visits": Stream.VIEW_VISITS,
}


def latents(seed: int, customer: Ints, occasion: Ints) -> Floats:
    """`[n, 7]` latent factors of customers (`[n]`) at occasions (`[n]`), in the order of LATENTS."""
    stable = normals(seed, Stream.TRAITS, customer[:, None], len(LATENTS))
    fresh = normals(seed, Stream.STATES, np.stack([customer, occasion], axis=1), len(LATENTS))
    mixed: Floats = np.sqrt(PERSISTENCE) * stable + np.sqrt(1 - PERSISTENCE) * fresh
    return mixed


def columns(modality: str) -> list[int]:
    """Indices in LATENTS of what the modality shows."""
    return [LATENTS.index(shown.latent) for shown in VIEWS[modality]]


def noises(modality: str) -> Floats:
    """`[k]` standard deviations of the noise in what the modality shows."""
    return np.array([shown.noise for shown in VIEWS[modality]])


def view(seed: int, modality: str, customer: Ints, occasion: Ints, hidden: Floats) -> Floats:
    """`[n, k]` what the modality shows of the latents `hidden` at these occasions, with noise; not standardized."""
    noise = normals(seed, VIEW_STREAM[modality], np.stack([customer, occasion], axis=1), len(VIEWS[modality]))
    return hidden[:, columns(modality)] + noises(modality) * noise


def standardized(modality: str, shown: Floats) -> Floats:
    """The view `[n, k]` divided by its standard deviation, `sqrt(1 + noise²)`."""
    return shown / np.sqrt(1 + noises(modality) ** 2)


class Posterior(NamedTuple):
    """Normal distribution of the latents given what some modalities show."""

    mean: Floats
    """`[n, 7]`"""
    covariance: Floats
    """`[7, 7]`, the same for all rows."""


def posterior(shown: Mapping[str, Floats], modalities: Iterable[str], rows: int) -> Posterior:
    """What is known of the latents of `rows` rows from the views (`[n, k]` each) of these modalities.

    For a prior N(0, I) and views v = A z + e, e ~ N(0, R):  covariance = (I + Aᵀ R⁻¹ A)⁻¹, mean = covariance Aᵀ R⁻¹ v
    (Bishop, Pattern Recognition and Machine Learning, eq. 2.116-2.117).
    """
    precision: Floats = np.eye(len(LATENTS))
    weighted = np.zeros((rows, len(LATENTS)))
    for modality in modalities:
        for index, noise, values in zip(columns(modality), noises(modality), shown[modality].T, strict=True):
            precision[index, index] += noise**-2
            weighted[:, index] += values * noise**-2
    covariance = np.asarray(np.linalg.inv(precision), dtype=np.float64)
    return Posterior(weighted @ covariance, covariance)
