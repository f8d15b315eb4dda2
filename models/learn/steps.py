"""Settings that all step-wise learners share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from models.spec import Spec

if TYPE_CHECKING:
    from models.learn.deciding import DecisionLearner  # noqa: F401  # stands in the base class's brackets


class StepSpec(Spec["DecisionLearner"]):
    """How a network is trained, step by step, on rows drawn at random; the same seed gives the same weights."""

    steps: int = Field(default=2000, ge=1)
    """Optimizer steps."""
    batch_rows: int = Field(default=256, ge=2)
    """Decisions per step, drawn with replacement."""
    learning_rate: float = Field(default=1e-3, gt=0)
    """Adam's step size."""
    weight_decay: float = Field(default=1e-2, ge=0)
    """AdamW's weight decay, on matrices only."""
    clip: float = Field(default=10.0, gt=0)
    """Largest norm of a step's gradient."""
    modality_dropout: float = Field(default=0.1, ge=0, le=1)
    """Share of rows of which only a random part of the modalities is shown, where the fusion is tuned."""
    value_steps: int = Field(default=2000, ge=1)
    """Steps of fitted policy evaluation, which learns the values that are published and used in evaluation."""
    value_tau: float = Field(default=0.05, gt=0, le=1)
    """Share of the network that its target takes over at each of these steps."""
    checks: int = Field(default=10, ge=1)
    """How often the policy is judged on validation rows; an earlier one is kept if it is better beyond chance."""
    patience: int = Field(default=3, ge=1)
    """Stop after this many checks in a row at which an earlier policy was better."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where it is trained; `auto`: on a GPU where there is one. Bit by bit the same result is promised on CPUs only."""
    seed: int = 0
    """Seed of initial weights, of the rows that are drawn, and of dropout."""
