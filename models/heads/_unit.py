"""The unit in which a number is learned, and back to the label's own."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from models.heads.regressor import RegressorSpec

# exp of the largest standardized output times its std must stay finite in float32 (overflow at exp(88.7)).
LARGEST_LOG = 80.0


@dataclass(frozen=True)
class Unit:
    """t = (f(label) − mean) / std, f the identity or log(1 + ·)."""

    mean: float
    std: float
    log: bool

    @classmethod
    def of(cls, spec: RegressorSpec) -> Unit:
        """The unit of a Spec's labels."""
        return cls(spec.label_mean, spec.label_std, spec.transform == "log")

    def standardized(self, label: Tensor) -> Tensor:
        """Labels to t."""
        return ((torch.log1p(label) if self.log else label) - self.mean) / self.std

    def restored(self, t: Tensor, smearing: Tensor | float = 1.0) -> Tensor:
        """t to labels; under `log`, 1 + label is multiplied by the smearing factor."""
        value = self.mean + self.std * t
        return smearing * torch.exp(value.clamp(max=LARGEST_LOG)) - 1 if self.log else value

    def smearing(self, t: Tensor, label: Tensor) -> Tensor:
        """Mean of exp(residual) of these predictions under `log`, else 1.

        exp of a mean of logs is a median; the factor makes it an expected value (Duan 1983, "Smearing estimate").
        """
        residual = self.std * (self.standardized(label) - t)
        return torch.exp(residual.clamp(max=LARGEST_LOG)).mean() if self.log else torch.ones(())
