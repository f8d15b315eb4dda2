"""How a late fusion lays modalities side by side, so that heads can read each by itself; free of torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from torch import Tensor

PoolName: TypeAlias = Literal["product", "mean"]


class Late(BaseModel):
    """z = [h_1 … h_M; k]: every modality's own vector, zeros where it is absent, then 1 where it is present."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    modalities: int
    """M."""
    width: int
    """Width d of each modality's vector."""
    pool: PoolName
    """How what heads read in each vector becomes one prediction."""

    def split(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Fused vectors `[B, M·d + M]` to the modalities' own `[B, M, d]` and the mask `[B, M]`."""
        vectors, present = z[:, : -self.modalities], z[:, -self.modalities :]
        return vectors.reshape(len(z), self.modalities, self.width), present > 0.5
