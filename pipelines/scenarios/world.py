"""The hidden factors behind a record, what each modality shows of them, and what can be inferred back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from pipelines.scenarios.streams import Floats, Ints, Stream, normals


class Shown(NamedTuple):
    """One latent as a modality shows it: with independent normal noise of standard deviation `noise`."""

    latent: str
    noise: float


class Posterior(NamedTuple):
    """Normal distribution of the latents given what some modalities show."""

    mean: Floats
    """`[n, L]`"""
    covariance: Floats
    """`[L, L]`, the same for all rows."""


@dataclass(frozen=True)
class World:
    """Latents that are each standard normal over subjects and occasions, independent of each other; and their views."""

    persistence: Mapping[str, float]
    """Latent -> share of its variance that stays with the subject; the rest is new at every occasion."""
    views: Mapping[str, tuple[Shown, ...]]
    """Modality -> what it shows. No modality should show all that the labels depend on."""

    @property
    def names(self) -> tuple[str, ...]:
        """The latents, in the order of the columns of every array `[n, L]`."""
        return tuple(self.persistence)

    @property
    def modalities(self) -> tuple[str, ...]:
        """The modalities, in the order of their streams: a new one goes to the end."""
        return tuple(self.views)

    def latents(self, seed: int, subject: Ints, occasion: Ints) -> Floats:
        """`[n, L]` latents of subjects (`[n]`) at occasions (`[n]`)."""
        stable = normals(seed, Stream.TRAITS, subject[:, None], len(self.names))
        fresh = normals(seed, Stream.STATES, np.stack([subject, occasion], axis=1), len(self.names))
        share = np.array(list(self.persistence.values()))
        mixed: Floats = np.sqrt(share) * stable + np.sqrt(1 - share) * fresh
        return mixed

    def columns(self, modality: str) -> list[int]:
        """Indices of the latents that the modality shows."""
        return [self.names.index(shown.latent) for shown in self.views[modality]]

    def noises(self, modality: str) -> Floats:
        """`[k]` standard deviations of the noise in what the modality shows."""
        return np.array([shown.noise for shown in self.views[modality]])

    def view(self, seed: int, modality: str, subject: Ints, occasion: Ints, hidden: Floats) -> Floats:
        """`[n, k]` what the modality shows of the latents `hidden` `[n, L]` at these occasions; not standardized."""
        stream = Stream.VIEW + self.modalities.index(modality)
        noise = normals(seed, stream, np.stack([subject, occasion], axis=1), len(self.views[modality]))
        return self.shown(modality, hidden, noise)

    def shown(self, modality: str, hidden: Floats, noise: Floats) -> Floats:
        """`[n, k]` the view of `hidden` with this standard normal `noise` `[n, k]`."""
        return hidden[:, self.columns(modality)] + self.noises(modality) * noise

    def standardized(self, modality: str, shown: Floats) -> Floats:
        """The view `[n, k]` divided by its standard deviation, `sqrt(1 + noise²)`: what drawing functions get."""
        return shown / np.sqrt(1 + self.noises(modality) ** 2)

    def posterior(self, shown: Mapping[str, Floats], modalities: Iterable[str], rows: int) -> Posterior:
        """What is known of the latents of `rows` rows from the views (`[n, k]` each) of these modalities.

        For a prior N(0, I) and views v = A z + e, e ~ N(0, R):  covariance = (I + Aᵀ R⁻¹ A)⁻¹, mean = covariance
        Aᵀ R⁻¹ v (Bishop, Pattern Recognition and Machine Learning, eq. 2.116-2.117). Each number of a view shows one
        latent, so the covariance is diagonal.
        """
        precision: Floats = np.eye(len(self.names))
        weighted = np.zeros((rows, len(self.names)))
        for modality in modalities:
            named = zip(self.columns(modality), self.noises(modality), shown[modality].T, strict=True)
            for index, noise, values in named:
                precision[index, index] += noise**-2
                weighted[:, index] += values * noise**-2
        covariance = np.asarray(np.linalg.inv(precision), dtype=np.float64)
        return Posterior(weighted @ covariance, covariance)
