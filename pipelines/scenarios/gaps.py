"""Which modalities are absent: each at its own rate, never all of one row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pipelines.scenarios.streams import Bools, Floats, Ints, Stream, uniforms


@dataclass(frozen=True)
class Gaps:
    """How often each modality is absent."""

    absent: Mapping[str, float]
    """Modality -> share of rows without it, in the order of the draws."""
    kept: str
    """The modality that stays where all would be absent."""

    def present_where(self, draws: Floats) -> dict[str, Bools]:
        """Modality -> mask `[n]`, from uniform numbers `[n, M]`."""
        masks = dict(zip(self.absent, (draws >= list(self.absent.values())).T, strict=True))
        masks[self.kept] = masks[self.kept] | ~np.any(list(masks.values()), axis=0)
        return masks

    def present(self, seed: int, subject: Ints, occasion: Ints) -> dict[str, Bools]:
        """Modality -> mask `[n]` of subjects (`[n]`) at occasions (`[n]`)."""
        keys = np.stack([subject, occasion], axis=1)
        return self.present_where(uniforms(seed, Stream.GAPS, keys, len(self.absent)))
