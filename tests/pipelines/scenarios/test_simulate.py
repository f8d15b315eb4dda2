"""The true value of policies, in a world where it is known."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pytest

from models.errors import UsageError
from pipelines.scenarios.base import Acted, Decision
from pipelines.scenarios.onestep import OneStep
from pipelines.scenarios.retail.scenario import SCENARIO
from pipelines.scenarios.simulate import CHUNK, simulate
from pipelines.scenarios.streams import Bools, Floats, Ints


@dataclass(frozen=True)
class Walk:
    """Action 0 brings 1 and goes on, up to three times; action 1 brings 10 and ends."""

    subjects: Ints
    step: int = 0

    def records(self) -> pa.RecordBatch:
        """Who walks."""
        return pa.record_batch({"subject": pa.array(self.subjects)})

    def allowed(self) -> Bools:
        """At the last step only the end."""
        allowed = np.ones((len(self.subjects), 2), dtype=np.bool_)
        allowed[:, 0] = self.step < 3
        return allowed

    def act(self, action: Ints) -> Acted:
        """See above."""
        on = action == 0
        return Acted(np.where(on, 1.0, 10.0), on, Walk(self.subjects[on], self.step + 1))


WALK = replace(SCENARIO, decision=Decision(("on", "end"), lambda _, subjects: Walk(subjects), gamma=0.5))


def test_rewards_are_discounted() -> None:
    """1 + 1/2 + 1/4, then 10/8: by going on to the last step. Ending at once brings 10."""

    steps = iter([[1.0, 0.0]] * 3 + [[0.0, 1.0]])
    assert simulate(WALK, lambda r: np.tile(next(steps), (r.num_rows, 1)), episodes=5) == (3.0, 0.0, 5)
    assert simulate(WALK, lambda r: np.tile([0.0, 1.0], (r.num_rows, 1)), episodes=5) == (10.0, 0.0, 5)


def test_actions_are_drawn_by_their_probability() -> None:
    """With 1/2 each at the first step and the end at the second: 10 or 1 + 5, 8 on average."""

    def half(records: pa.RecordBatch) -> Floats:
        first = records.num_rows == CHUNK
        return np.tile([0.5, 0.5] if first else [0.0, 1.0], (records.num_rows, 1))

    value = simulate(WALK, half, episodes=CHUNK * 8, seed=1)
    assert value.mean == pytest.approx(8.0, abs=4 * value.standard_error)
    assert value.standard_error == pytest.approx(2 / np.sqrt(CHUNK * 8), rel=0.05)


def test_single_decisions_need_no_draws() -> None:
    """Each row gives Σ π r: 0.25 · 4 + 0.75 · 8 = 7, whatever the seed."""
    batch = pa.record_batch({"x": pa.array(range(3))})

    def begin(seed: int, subjects: Ints) -> OneStep:
        rows = len(subjects)
        return OneStep(batch.slice(0, rows), np.ones((rows, 2), np.bool_), np.tile([4.0, 8.0], (rows, 1)))

    bandit = replace(SCENARIO, decision=Decision(("a", "b"), begin, gamma=0.0))
    assert simulate(bandit, lambda r: np.tile([0.25, 0.75], (r.num_rows, 1)), episodes=3) == (7.0, 0.0, 3)


@pytest.mark.parametrize(
    ("chances", "message"),
    [
        ([[0.5, 0.2]], "must sum to 1"),
        ([[1.5, -0.5]], "none below 0"),
        ([[1.0]], r"must give probabilities of shape \(1, 2\); got \(1, 1\)"),
    ],
)
def test_what_is_no_policy_is_refused(chances: list[list[float]], message: str) -> None:
    """One sentence says what a policy must give."""
    with pytest.raises(UsageError, match=message):
        simulate(WALK, lambda _: np.array(chances), episodes=1)


def test_forbidden_actions_are_refused() -> None:
    """Going on at the last step is not allowed."""
    with pytest.raises(UsageError, match="probability 0 to what is not allowed"):
        simulate(WALK, lambda r: np.tile([1.0, 0.0], (r.num_rows, 1)), episodes=2)
