"""Teams: parts of a batch and averaged gradients give what one process gives."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, distributed, nn

from models.errors import InternalError
from models.learn.checkpoints import Checkpoints
from models.learn.deciding import ALONE, Team
from models.learn.optimizing import Course, Objective, Stage
from models.learn.q_learning import QLearningSpec
from models.learn.teams import Distributed, Finished


class Thread:
    """A member of a team of threads, which meet at a barrier."""

    def __init__(self, rank: int, barrier: threading.Barrier, shared: list[list[Tensor]]) -> None:
        self.rank, self.size = rank, barrier.parties
        self._barrier, self._shared = barrier, shared

    def average(self, gradients: Sequence[Tensor]) -> None:
        """See `Team.average`."""
        self._shared[self.rank] = [gradient.clone() for gradient in gradients]
        self._barrier.wait(timeout=60)
        for index, gradient in enumerate(gradients):
            gradient.copy_(torch.stack([own[index] for own in self._shared]).mean(dim=0))
        self._barrier.wait(timeout=60)


class Noisy(Objective):
    """(w · x_row − row)² with a random part of x left out."""

    lots = 3

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(3))

    def loss(self, rows: Tensor, lots: Tensor) -> Tensor:
        x = torch.stack([torch.ones(len(rows)), rows / 10, (rows / 10) ** 2], dim=1) * (lots > 0.1)
        return (x @ self.weight - rows / 10).square().mean()


def trained(team: Team, folder: Path | None = None) -> Noisy:
    """After 30 steps of 7 rows: no even parts for a team of two."""
    objective, spec = Noisy(), QLearningSpec(batch_rows=7, learning_rate=0.05, checks=1)
    checkpoints = Checkpoints.open(folder, "key", writes=team.rank == 0)
    Stage(objective, np.arange(20), Course("stage", spec, 30), checkpoints, team).run()
    return objective


def test_a_team_of_two_learns_what_one_learns() -> None:
    """The same rows and the same lots, in two uneven parts: equal weights to 1e-6, and to the last bit in both."""
    barrier, shared = threading.Barrier(2), [list[Tensor](), list[Tensor]()]
    found: dict[int, Tensor] = {}

    def member(rank: int) -> None:
        found[rank] = trained(Thread(rank, barrier, shared)).weight.detach()

    threads = [threading.Thread(target=member, args=(rank,)) for rank in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    torch.testing.assert_close(found[0], trained(ALONE).weight.detach(), rtol=0, atol=1e-6)
    assert torch.equal(found[0], found[1])


def test_a_finished_team_has_nothing_left_to_do(tmp_path: Path) -> None:
    """Its checkpoints give its weights; without them it refuses."""
    first = trained(ALONE, tmp_path)
    assert torch.equal(trained(Finished(1), tmp_path).weight, first.weight)
    with pytest.raises(InternalError, match="checkpoints of the team must be finished"):
        trained(Finished(2))


@pytest.fixture
def group(tmp_path: Path) -> Iterator[None]:
    """A process group of this process alone."""
    distributed.init_process_group("gloo", init_method=f"file://{tmp_path / 'meeting'}", rank=0, world_size=1)
    yield
    distributed.destroy_process_group()


@pytest.mark.usefixtures("group")
def test_gradients_keep_their_places() -> None:
    """They travel as one message and come back each to its own; the mean of one is itself."""
    gradients = [torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor(5.0), torch.tensor([6.0])]
    team = Distributed()
    team.average(gradients)
    assert (team.rank, team.size) == (0, 1)
    assert [gradient.tolist() for gradient in gradients] == [[[1, 2], [3, 4]], 5, [6]]
