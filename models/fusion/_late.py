"""Late fusion as a torch module; `late` describes it."""

from __future__ import annotations

import torch
from torch import Tensor

from models.fusion.base import Fused, Fusion, Projections
from models.fusion.late import LateSpec


class LateFusion(Fusion):
    """Projections side by side; nothing is shared, so that no modality learns from another.

    The mask is part of z: a head must tell an absent modality from one whose vector is zero. There are no `parts`:
    each modality's own loss is the loss itself (`LateHead.loss`).
    """

    def __init__(self, spec: LateSpec) -> None:
        super().__init__()
        self.projections = Projections(spec.inputs, spec.width, spec.seed, trained=spec.trained)

    def forward(self, x: Tensor, mask: Tensor) -> Fused:
        """See `Fusion.forward`; present modalities share equally, as they count equally in the pool."""
        present = mask.to(x.dtype)  # [B, M]
        z = torch.cat([self.projections(x, mask).flatten(1), present], dim=1)  # [B, M·d + M]
        return Fused(z, present / present.sum(dim=1, keepdim=True))

    def observe(self, x: Tensor, mask: Tensor) -> None:
        """See `Fusion.observe`."""
        self.projections.observe(x, mask)
