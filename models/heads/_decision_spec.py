"""What describes a decision head: the log's columns, the actions, and the policy that is published; free of torch."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, PlainSerializer, PlainValidator, model_validator

from models.arrow import Bool, Float32, Int64, list_parts
from models.errors import ConfigError
from models.heads._policy import Float64, draw, mixed
from models.heads._spec import HeadSpec, Published
from models.learn.steps import StepSpec
from models.schema import action_column, prob_column, published_embedding, value_column, values_column
from models.spec import Spec, component

if TYPE_CHECKING:
    from models.fusion.base import FusionSpec
    from models.heads.base import DecisionHead

NOTHING_ALLOWED = "nothing_allowed"  # issue code: no action that the head knows was allowed
MOST_ACTIONS = 1000  # more distinct values are a number or a key, not an action

AnyFusion = Annotated[Spec[Any], PlainValidator(partial(component, "fusion")), PlainSerializer(Spec.settings)]


class DecisionHeadSpec(HeadSpec):
    """Describes a head that learns to act from logged decisions, and publishes actions with their probabilities.

    It carries the fusion that it was trained with: what was evaluated is what acts, whatever is trained later.
    """

    derived: ClassVar[frozenset[str]] = HeadSpec.derived | {"actions", "fusion", "reward_scale", "reward_mean"}

    action: str
    """Column of the training table with the action that was taken."""
    reward: str
    """Column with what came of it, a number; more is better."""
    propensity: str | None = None
    """Column with the probability with which the action was taken. Without it nothing can be evaluated."""
    allowed: str | None = None
    """Column with the list of actions that could be taken, in the training table and in the nightly input; by default
    all that were ever taken."""
    episode: str | None = None
    """Column that says which decisions follow each other; none: every row is a decision of its own."""
    step: str | None = None
    """Column that orders an episode's decisions."""
    terminated: str | None = None
    """Column that is true where an episode ended. Another last row was cut off: what would have followed is unknown."""
    truncated: str | None = None
    """Column that is true where an episode was cut off. Without this and `terminated`, last rows count as ends."""
    gamma: float = Field(default=0.0, ge=0, lt=1)
    """What a reward one step later is worth; 0: every decision for itself (a contextual bandit)."""
    epsilon: float = Field(default=0.05, ge=0, le=1)
    """Probability that is shared evenly by all allowed actions: what is never tried cannot be judged later."""
    hidden: int = Field(default=128, ge=1, le=8192)
    """Width of the two hidden layers."""
    tune_fusion: bool = True
    """Whether this head's own copy of the fusion is trained on, or stays as the labels left it."""
    publish: Literal["if_better", "always", "never"] = "if_better"
    """`if_better`: `run` decides by a newly trained policy only if the lower bound of its value on held-out rows is
    above what the logged decisions brought there; else by the last published one."""
    values: bool = False
    """Publish the value of every action too, as `values_<head>`."""
    actions: tuple[str, ...] = ()
    """The actions of the training table, in ascending order."""
    fusion: AnyFusion | None = None
    """The fusion, with its inputs."""
    reward_scale: float = Field(default=1.0, gt=0)
    """Standard deviation of what follows a decision (discounted): networks learn values in this unit."""
    reward_mean: float = 0.0
    """Its mean."""

    @model_validator(mode="after")
    def _episodes_have_order(self) -> Self:
        if (self.episode is None) != (self.step is None):
            raise ValueError("episode and step must be given together")
        if self.gamma > 0 and self.episode is None:
            raise ValueError(f"gamma must be 0 unless episode and step are given; got {self.gamma}")
        return self

    @property
    @abstractmethod
    def steps(self) -> StepSpec:
        """How it is trained."""

    @abstractmethod
    def preferred(self, preferences: Float32, allowed: Bool) -> Float64:
        """`[n, A]` the policy before ε, from the head's preferences `[n, A]`."""

    def policy(self, preferences: Float32, allowed: Bool) -> Float64:
        """`[n, A]` probabilities with which actions are drawn; 0 in a row in which nothing is allowed."""
        return mixed(self.preferred(preferences, allowed), allowed, self.epsilon)

    def training_columns(self) -> dict[str, str]:
        """The log's."""
        settings = ("action", "reward", "propensity", "allowed", "episode", "step", "terminated", "truncated")
        named = {setting: getattr(self, setting) for setting in settings}
        return {setting: column for setting, column in named.items() if column is not None}

    def nightly_columns(self) -> dict[str, str]:
        """What is allowed is known of the night's rows too, or it is not kept."""
        return {} if self.allowed is None else {"allowed": self.allowed}

    def with_actions(self, taken: pa.Array, fusion: FusionSpec) -> Self:
        """With the actions of the training rows and the fusion filled in.

        Raises:
            ConfigError: the column holds no actions (a fraction, a list), or fewer than 2 or more than 1,000.
        """
        actions = pc.unique(self._names(taken).drop_null()).sort()
        if not 2 <= len(actions) <= MOST_ACTIONS:
            raise ConfigError(
                f"action {self.action!r} must have 2 to {MOST_ACTIONS} values in the training rows; got {len(actions)}"
            )
        learned = {"actions": tuple(actions.to_pylist()), "fusion": fusion, "input_dim": fusion.dim}
        return type(self).model_validate({**self.model_dump(), **learned})

    def with_scale(self, mean: float, std: float) -> Self:
        """With the unit in which values are learned."""
        return type(self).model_validate({**self.model_dump(), "reward_mean": mean, "reward_scale": std or 1.0})

    def action_index(self, taken: pa.Array) -> Int64:
        """`[n]` index into `actions`; −1 where null or never seen in training."""
        index = pc.index_in(self._names(taken), value_set=pa.array(self.actions, pa.string()), skip_nulls=True)
        found: Int64 = index.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
        return found

    def allowed_mask(self, lists: pa.Array | None, rows: int) -> Bool:
        """`[n, A]` from the column of lists; all True without one. A null list allows nothing.

        Raises:
            ConfigError: the column holds no lists.
        """
        mask = np.ones((rows, len(self.actions)), np.bool_)
        if lists is None:
            return mask
        if not (pa.types.is_list(lists.type) or pa.types.is_large_list(lists.type)):
            raise ConfigError(f"allowed {self.allowed!r} must be a column of lists of actions; got {lists.type}")
        names, offsets = list_parts(pc.fill_null(lists, pa.scalar([], lists.type)))
        index = self.action_index(names)
        owner = np.repeat(np.arange(rows), np.diff(offsets))
        mask[:] = False
        mask[owner[index >= 0], index[index >= 0]] = True
        return mask

    def _names(self, taken: pa.Array) -> pa.Array:
        kind = taken.type
        if pa.types.is_dictionary(kind):
            return self._names(taken.dictionary_decode())
        if pa.types.is_null(kind) or pa.types.is_boolean(kind) or pa.types.is_integer(kind):
            return taken.cast(pa.string())
        if pa.types.is_string(kind) or pa.types.is_large_string(kind):
            return taken.cast(pa.string())
        raise ConfigError(f"action {self.action!r} must be bool, integer or string; got {kind}")

    def output_fields(self, name: str) -> list[pa.Field]:
        """`action_`, `prob_`, `value_<name>`, and `values_<name>` if wanted."""
        fields = [
            pa.field(action_column(name), pa.string(), nullable=False),
            pa.field(prob_column(name), pa.float32(), nullable=False),
            pa.field(value_column(name), pa.float32(), nullable=False),
        ]
        return [*fields, published_embedding(values_column(name), len(self.actions))] if self.values else fields

    def publish_rows(self, name: str, raw: Float32, allowed: Bool, uniform: Float64) -> Published:
        """The columns of n rows; where nothing is allowed, the action is empty and its probability 0.

        Args:
            name: the head's.
            raw: `[n, 2 A]`: the head's preferences, then its values in the reward's unit.
            allowed: `[n, A]`.
            uniform: `[n]` in [0, 1): which action is drawn.
        """
        count = len(self.actions)
        preferences, values = raw[:, :count], raw[:, count:]
        policy = self.policy(preferences, allowed)
        chosen = draw(policy, uniform)
        undecided: Bool = chosen < 0
        rows, safe = np.arange(len(raw)), np.maximum(chosen, 0)
        names = pa.array([*self.actions, ""]).take(pa.array(np.where(undecided, count, chosen)))
        columns = {
            action_column(name): names,
            prob_column(name): pa.array(policy[rows, safe].astype(np.float32)),
            value_column(name): pa.array(np.where(undecided, np.float32(0), values[rows, safe])),
        }
        if self.values:
            field = self.output_fields(name)[-1]
            offsets = np.arange(0, values.size + 1, count, dtype=np.int32)
            flat = pa.array(np.ascontiguousarray(values).reshape(-1))
            columns[field.name] = pa.ListArray.from_arrays(offsets, flat, type=field.type)
        return Published(columns, {NOTHING_ALLOWED: undecided})

    @abstractmethod
    def build(self) -> DecisionHead:
        """The head with its fusion; weights are as seeded until loaded or trained."""

    def fusion_spec(self) -> FusionSpec:
        """The fusion that it was trained with.

        Raises:
            ConfigError: it was not trained.
        """
        if self.fusion is None or not self.actions:
            raise ConfigError(f"the head of action {self.action!r} must be trained; run `amalgam train JOB` first")
        return cast("FusionSpec", self.fusion)


def columns_of(spec: DecisionHeadSpec, table: Mapping[str, pa.Array]) -> dict[str, pa.Array]:
    """Setting -> the column that it names."""
    return {setting: table[column] for setting, column in spec.training_columns().items()}
