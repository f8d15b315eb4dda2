"""Encoders learned from labels: each by itself, with small heads of its own that exist in training only."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from models.learn.encoder_learner import EncoderLearnerSpec

if TYPE_CHECKING:
    from models.learn.encoder_learner import EncoderLearner


class LabelsSpec(EncoderLearnerSpec):
    """Each encoder by itself, by the losses of all label heads on its embedding."""

    kind: ClassVar[str] = "labels"
    together: ClassVar[bool] = False

    def build(self) -> EncoderLearner:
        """The learner."""
        from models.learn.encoder_labels import LabelsLearner

        return LabelsLearner(self)
