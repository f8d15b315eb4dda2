"""Encoders learned without labels: what belongs to one record lies close, whatever the modality."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from models.learn.encoder_learner import EncoderLearnerSpec

if TYPE_CHECKING:
    from models.learn.encoder_learner import EncoderLearner


class ContrastiveSpec(EncoderLearnerSpec):
    """All encoders at once, by a symmetric InfoNCE between the modalities of a record; needs no labels."""

    kind: ClassVar[str] = "contrastive"
    together: ClassVar[bool] = True

    batch_rows: int = Field(default=256, ge=2)
    """Rows per step; each is told apart from all others of its batch that belong to other groups."""
    temperature: float = Field(default=0.07, gt=0, le=1)
    """What the learned temperature begins with."""

    def build(self) -> EncoderLearner:
        """The learner."""
        from models.learn.encoder_pairs import ContrastiveLearner

        return ContrastiveLearner(self)
