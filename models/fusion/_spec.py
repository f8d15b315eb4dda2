"""What describes every fusion, without the modules: a job file is read and planned without loading torch."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from models.late import Late
from models.spec import Spec

if TYPE_CHECKING:
    from models.fusion.base import Fusion


class FusionSpec(Spec["Fusion"]):
    """Describes a fusion; `inputs` is filled in from the job's encoders."""

    derived: ClassVar[frozenset[str]] = frozenset({"inputs"})
    rate: ClassVar[float] = 1.0
    """Factor on the learning rate of its weights: transformers want smaller steps."""

    dim: int = Field(default=256, ge=2, le=8192)
    """Width F of the fused vector."""
    seed: int = 0
    """Seed of the initial projections."""
    trained: bool = True
    """Whether `amalgam train` fits it; if not, it stays a seeded orthogonal projection and only heads are trained."""
    inputs: dict[str, int] = {}
    """Modality -> width of its embedding, in the order of the mask's columns."""

    @property
    def late(self) -> Late | None:
        """Where each modality stands in the fused vector; None where they are mixed."""
        return None

    @abstractmethod
    def build(self) -> Fusion:
        """The fusion as it is before training; torch is loaded here."""
