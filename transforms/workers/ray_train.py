"""Training in several Ray Train workers: each runs the same function, as a member of one team."""

from __future__ import annotations

import logging
import shutil
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import ray
from ray import train
from ray.train import torch as ray_torch

from models.errors import ConfigError, WorkerDied
from transforms.workers.base import WorkersSpec
from transforms.workers.ray_start import start

LOG = logging.getLogger(__name__)
RESTARTS: Final = 3  # of the whole team, after a member died; it goes on from its checkpoints

Fit = Callable[[Any], object]
"""From the team (`models.learn.deciding.Team`) to whatever; what counts is left in checkpoints."""


def fit_together(fit: Fit, workers: int, spec: WorkersSpec, folder: Path) -> None:
    """Run `fit(team)` in so many processes at once, and wait for all of them.

    Results are not sent: `fit` leaves them in checkpoints, from which `models.learn.teams.Finished` reads them.

    Args:
        fit: travels to the workers; of the modules and paths that it names each worker reads its own.
        workers: how many processes; each has a GPU where Ray has one for each.
        spec: the Ray to use.
        folder: for Ray's own notes, which are removed; shared by all machines of a cluster.

    Raises:
        ConfigError: what `fit` itself raised in any worker.
        WorkerDied: workers died again and again.
    """
    name = f"team-{uuid.uuid4().hex[:8]}"
    notes = folder.resolve() / name
    notes.mkdir(parents=True)
    refusal = notes / "refused"
    with start(spec):
        resources = ray.cluster_resources()
        trainer = ray_torch.TorchTrainer(
            _member,
            train_loop_config={"fit": fit, "refusal": refusal},
            scaling_config=train.ScalingConfig(
                num_workers=workers,
                use_gpu=resources.get("GPU", 0.0) >= workers,
                # A machine with fewer cores than members still holds them all.
                resources_per_worker={"CPU": min(1.0, resources.get("CPU", 1.0) / (workers + 1))},
            ),
            run_config=train.RunConfig(
                name=name,
                storage_path=str(notes.parent),
                failure_config=train.FailureConfig(max_failures=RESTARTS),
            ),
        )
        try:
            trainer.fit()
            if refusal.exists():
                raise ConfigError(refusal.read_text(encoding="utf-8"))
        except train.TrainingFailedError as error:
            raise WorkerDied(f"{workers} workers must be able to train; got {error}") from error
        finally:
            shutil.rmtree(notes, ignore_errors=True)


def _member(config: dict[str, Any]) -> None:
    """One member of the team. What it refuses is written down: raised, it would be tried again."""
    from models.learn.teams import Distributed

    team = Distributed()
    try:
        config["fit"](team)
    except ConfigError as error:
        if team.rank == 0:
            config["refusal"].write_text(str(error), encoding="utf-8")
