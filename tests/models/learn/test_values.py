"""Values from backups: the loss of known numbers, targets that keep to what is allowed, and what follows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from models.learn.episodes import backups
from models.learn.inputs import Branch, Inputs
from models.learn.values import Ahead, BackupObjective, Backups, best_ahead, expected_ahead

CPU = torch.device("cpu")


class Table(nn.Module):
    """A network that is a table of values: row i's are its weights i."""

    def __init__(self, values: list[list[float]]) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.tensor(values))
        self.register_buffer("seen", torch.zeros(1))

    def forward(self, rows: Tensor) -> Tensor:
        return self.table[rows]


class Numbers(Inputs):
    """Rows are their own numbers."""

    def fused(self, branch: Branch, rows: Tensor, lots: Tensor | None = None) -> Tensor:
        return rows


ONLINE = [[1.0, 2.0], [5.0, 3.0], [0.0, 0.0]]
"""What the network says of rows 0 → 1 → 2, an episode that ended; rewards 1, 2, 4; actions 1, 0, 1; γ = 1/2."""


def objective(
    ahead: Ahead | None = None, *, allowed: list[list[bool]] | None = None, **changed: Any
) -> BackupObjective:
    """Whose target says 10, 20 of row 1 and 30, 40 of row 2; the mean return is 0 in units of 1."""
    mask = torch.tensor(allowed or [[True, True]] * 3)
    backup = backups(np.array([1.0, 2.0, 4.0]), np.array([1, 2, -1]), np.array([False, False, True]), 0.5)
    made = BackupObjective(
        Branch(None, Table(ONLINE)),
        Numbers(3, CPU),
        Backups(
            backup=backup,
            action=torch.tensor([1, 0, 1]),
            known=torch.tensor([1.0, 2.0, 4.0]),
            state=torch.from_numpy(backup.state),
            discount=torch.from_numpy(backup.discount).float(),
            offset=changed.pop("offset", 0.0),
            allowed=mask,
        ),
        ahead or best_ahead(mask),
        **{"tau": 0.25, **changed},
    )
    assert made.target is not None
    with torch.no_grad():
        made.target.net.get_parameter("table").copy_(torch.tensor([[0.0, 0.0], [10.0, 20.0], [30.0, 40.0]]))
    return made


def loss(of: BackupObjective, row: int) -> float:
    """The loss of one row."""
    return of.loss(torch.tensor([row]), torch.zeros(1, 0)).item()


def test_the_network_chooses_and_the_target_values() -> None:
    """Row 0: the network likes action 0 of row 1 (5 > 3), which the target values at 10: (2 − (1 + 10/2))² / 2 = 8."""
    assert loss(objective(), 0) == 8


def test_what_is_not_allowed_is_not_chosen_ahead() -> None:
    """With action 0 forbidden in row 1 the target's 20 counts: (2 − (1 + 20/2))² / 2 = 40.5."""
    assert loss(objective(allowed=[[True, True], [False, True], [True, True]]), 0) == 40.5


def test_nothing_counts_after_the_end() -> None:
    """Row 2 ended: (0 − 4)² / 2 = 8, whatever stands in the network."""
    assert loss(objective(), 2) == 8


def test_a_policys_values_are_expected_ones() -> None:
    """π = (1/4, 3/4) in row 1: 10/4 + 3 · 20/4 = 17.5; (2 − (1 + 17.5/2))² / 2 = 30.03125."""
    policy = np.array([[0.5, 0.5], [0.25, 0.75], [0.5, 0.5]])
    assert loss(objective(expected_ahead(policy, CPU)), 0) == 30.03125


def test_large_errors_count_linearly() -> None:
    """Error 4 with δ = 1: 4 − 1/2."""
    assert loss(objective(huber=1.0), 0) == 3.5


def test_estimates_are_from_the_mean() -> None:
    """With a mean return of 2 an estimate of 10 stands for 12: (2 − (1 + 12/2))² / 2 = 12.5."""
    assert loss(objective(offset=2.0), 0) == 12.5


def test_the_conservative_term_holds_down_what_was_not_taken() -> None:
    """Row 0: log(e¹ + e²) − 2 = 0.3133 times α = 2, beside the error's 8."""
    assert loss(objective(conservative=2.0), 0) == pytest.approx(8 + 2 * 0.31326169)


def test_the_conservative_term_ignores_what_was_not_allowed() -> None:
    """With the taken action alone allowed the logarithm of the sum is its value: nothing is held down."""
    assert loss(objective(conservative=2.0, allowed=[[False, True], [True, True], [True, True]]), 0) == 8


def test_the_target_follows_by_its_share() -> None:
    """τ = 1/4: 10 + (5 − 10)/4 = 8.75. Buffers are copied, and the target has no gradient."""
    made = objective()
    made.branch.net.get_buffer("seen").fill_(3)
    made.follow()
    assert made.target is not None
    assert made.target.net.get_parameter("table")[1].tolist() == [8.75, 15.75]
    assert made.target.net.get_buffer("seen").item() == 3
    assert not any(parameter.requires_grad for parameter in made.target.parameters())


def test_the_gradient_is_the_networks_alone() -> None:
    """Only the taken action's value moves: d/dq (q − y)²/2 = 2 − 6."""
    made = objective()
    made.loss(torch.tensor([0]), torch.zeros(1, 0)).backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
    gradient = made.branch.net.get_parameter("table").grad
    assert gradient is not None
    assert gradient.tolist() == [[0, -4], [0, 0], [0, 0]]
