"""Training over several Ray Train workers: what one process learns, also where a member dies; and what is refused."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import pytest
import torch

from models.errors import ConfigError
from models.learn.deciding import ALONE, FittedPolicy, Team
from models.learn.optimizing import Stage
from models.learn.teams import Finished
from tests.models.learn.logs import head, single
from transforms.workers.base import WorkersSpec


def fit(folder: Path | None, team: Team) -> FittedPolicy:
    """A short training on single decisions."""
    log = single(200).log
    spec = head("q_learning", log, learner={"steps": 40, "value_steps": 10, "batch_rows": 64, "checks": 4})
    return spec.steps.build().fit(spec, None, log, single(50, 1).log, folder, team)


def fit_and_die_once(folder: Path, mark: Path, team: Team) -> None:
    """The second member's process is gone after 25 steps, the first time."""
    step, done = Stage._step, 0

    def counted(stage: Stage) -> None:
        nonlocal done
        done += 1
        if team.rank == 1 and done == 25 and not mark.exists():
            mark.touch()
            os._exit(1)
        step(stage)

    setattr(Stage, "_step", counted)  # noqa: B010  # in a worker's own process; assigned by name for mypy
    fit(folder, team)


def refuse(team: Team) -> None:
    """What a learner may say of a job."""
    raise ConfigError(f"reward must be known; got none in any of {team.size} members")


@pytest.mark.ray
@pytest.mark.slow
def test_two_workers_learn_what_one_learns_though_one_dies(tmp_path: Path) -> None:
    """The team begins again from its checkpoints; weights equal those of one process to 1e-5."""
    mark, checkpoints = tmp_path / "died", tmp_path / "checkpoints"
    WorkersSpec().fit_together(partial(fit_and_die_once, checkpoints, mark), 2, tmp_path / "ray")
    together, alone = fit(checkpoints, Finished(2)), fit(None, ALONE)
    assert mark.exists()
    for name, tensor in alone.module.state_dict().items():
        torch.testing.assert_close(together.module.state_dict()[name], tensor, rtol=0, atol=1e-5)
    assert list((tmp_path / "ray").iterdir()) == []


@pytest.mark.ray
@pytest.mark.slow
def test_what_a_learner_refuses_is_refused(tmp_path: Path) -> None:
    """The message is the learner's own, and it is not tried again."""
    with pytest.raises(ConfigError, match=r"^reward must be known; got none in any of 2 members$"):
        WorkersSpec().fit_together(refuse, 2, tmp_path)


def test_several_processes_need_a_ray(tmp_path: Path) -> None:
    """Inline workers are this process alone."""
    with pytest.raises(ConfigError, match=r"workers\.address: must name a Ray"):
        WorkersSpec(address="inline").fit_together(refuse, 2, tmp_path)
