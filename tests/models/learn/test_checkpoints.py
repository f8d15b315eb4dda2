"""Checkpoints: whole or not there, of the same settings and data; a killed training ends as an undisturbed one."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch

from models.errors import OutputError
from models.fusion.attention import AttentionSpec
from models.learn.checkpoints import Checkpoints, load_optimizer, optimizer_tensors, under
from models.learn.deciding import FittedPolicy
from models.learn.optimizing import Stage
from tests.models.learn.logs import head, single, world

SMALL: dict[str, Any] = {"steps": 12, "value_steps": 8, "batch_rows": 16, "checks": 4, "patience": 9}
STEPS = {
    ("q_learning", 0.8): 12 + 8,  # policy, values
    ("policy_gradient", 0.0): 8 + 8 + 12 + 8,  # two models of rewards, policy, values
    ("policy_gradient", 0.8): 8 + 3 * (4 + 3) + 8,  # critic, three passes of policy and critic, values
}


class KilledError(Exception):
    """Stands for a signal that ends the process."""


def count_steps(patch: pytest.MonkeyPatch, killed_after: int | None = None) -> Callable[[], int]:
    """How many optimizer steps were done; after `killed_after` of them the process dies."""
    done, step = 0, Stage._step

    def counted(stage: Stage) -> None:
        nonlocal done
        if done == killed_after:
            raise KilledError
        done += 1
        step(stage)

    patch.setattr(Stage, "_step", counted)
    return lambda: done


def fit(kind: str, gamma: float, folder: Path | None, *, attention: bool = False, seed: int = 0) -> FittedPolicy:
    """A short training on single decisions or on episodes."""
    logs = [world().logged(15, 6, s) if gamma else single(80, s).log for s in (0, 1)]
    learner = {**SMALL, "seed": seed, **({"passes": 3} if kind == "policy_gradient" else {})}
    spec = head(kind, logs[0], gamma=gamma, learner=learner)
    if attention:
        fusion = AttentionSpec(dim=8, heads=2, layers=1, inputs=logs[0].inputs)
        spec = spec.with_actions(pa.array(spec.actions), fusion)
    return spec.steps.build().fit(spec, None, logs[0], logs[1], folder)


def same(one: FittedPolicy, other: FittedPolicy) -> bool:
    """Whether weights are equal bit by bit, and Specs and histories too."""
    ours, theirs = one.module.state_dict(), other.module.state_dict()
    equal = all(torch.equal(ours[name], theirs[name]) for name in ours)
    return equal and one.spec == other.spec and one.history == other.history


def test_checkpoints_of_other_data_are_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One reward that was corrected since is another log."""
    log = single(80).log
    spec = head("q_learning", log, learner=SMALL)
    spec.steps.build().fit(spec, None, log, log, tmp_path)
    corrected = replace(log, reward=np.where(np.arange(80) == 0, 0.0, log.reward))
    steps = count_steps(monkeypatch)
    spec.steps.build().fit(spec, None, log, corrected, tmp_path)
    assert steps() == 20


@pytest.mark.parametrize(("kind", "gamma"), STEPS)
def test_a_killed_training_ends_as_an_undisturbed_one(
    kind: str, gamma: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed in every stage and run again: the same result, bit by bit, with at most three steps done twice."""
    undisturbed, whole = fit(kind, gamma, None), STEPS[kind, gamma]
    for point in range(0, whole, 5):
        folder = tmp_path / str(point)
        with monkeypatch.context() as patch:
            count_steps(patch, killed_after=point)
            with pytest.raises(KilledError):
                fit(kind, gamma, folder)
        with monkeypatch.context() as patch:
            steps = count_steps(patch)
            assert same(fit(kind, gamma, folder), undisturbed)
        assert whole - point <= steps() <= whole - point + 3


def test_dropout_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fusion with dropout draws from torch's own generator, whose state is kept too."""
    undisturbed = fit("q_learning", 0.0, None, attention=True)
    with monkeypatch.context() as patch:
        count_steps(patch, killed_after=7)
        with pytest.raises(KilledError):
            fit("q_learning", 0.0, tmp_path, attention=True)
    assert same(fit("q_learning", 0.0, tmp_path, attention=True), undisturbed)


def test_a_finished_training_is_not_run_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its checkpoints alone give the same result."""
    first = fit("q_learning", 0.0, tmp_path)
    steps = count_steps(monkeypatch)
    assert same(fit("q_learning", 0.0, tmp_path), first)
    assert steps() == 0


def test_checkpoints_of_other_settings_are_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another seed begins anew, and what it will never use is removed."""
    fit("q_learning", 0.0, tmp_path)
    [stale] = tmp_path.iterdir()
    steps = count_steps(monkeypatch)
    fit("q_learning", 0.0, tmp_path, seed=1)
    assert steps() == 20
    assert stale not in list(tmp_path.iterdir())


def test_a_damaged_checkpoint_is_named_and_not_used(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The stage begins again, and the result is the same."""
    first = fit("q_learning", 0.0, tmp_path)
    [damaged] = tmp_path.glob("*/policy.safetensors")
    damaged.write_bytes(damaged.read_bytes()[:-10])
    with caplog.at_level(logging.WARNING):
        assert same(fit("q_learning", 0.0, tmp_path), first)
    assert f"{damaged} must be a checkpoint" in caplog.text


def test_tensors_and_facts_come_back(tmp_path: Path) -> None:
    """Floats survive JSON exactly; tensors bit by bit."""
    checkpoints = Checkpoints.open(tmp_path, "key")
    tensors = {"a/x": torch.rand(3), "b/y": torch.tensor([1, 2], dtype=torch.uint8)}
    checkpoints.save("stage", tensors, {"loss": 0.1 + 0.2})
    loaded = checkpoints.load("stage")
    assert loaded is not None
    assert loaded.facts == {"loss": 0.1 + 0.2}
    assert torch.equal(under("a", loaded.tensors)["x"], tensors["a/x"])
    assert torch.equal(under("b", loaded.tensors)["y"], tensors["b/y"])


def test_only_one_process_writes(tmp_path: Path) -> None:
    """The others read what it wrote."""
    reader = Checkpoints.open(tmp_path, "key", writes=False)
    reader.save("stage", {"x": torch.zeros(1)}, {})
    assert reader.load("stage") is None
    Checkpoints.open(tmp_path, "key").save("stage", {"x": torch.zeros(1)}, {})
    assert reader.load("stage") is not None


def test_without_a_folder_nothing_is_kept() -> None:
    """Saving does nothing, and there is nothing to load."""
    checkpoints = Checkpoints.open(None, "key")
    checkpoints.save("stage", {"x": torch.zeros(1)}, {})
    assert checkpoints.load("stage") is None


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """A file stands where the folder should be."""
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="checkpoints must be writable at"):
        Checkpoints(tmp_path / "file").save("stage", {"x": torch.zeros(1)}, {})


def test_an_optimizers_moments_come_back() -> None:
    """A second optimizer that gets them makes the same next step."""
    ours, theirs = (torch.nn.Parameter(torch.ones(2)) for _ in range(2))
    first, second = (torch.optim.AdamW([p], fused=True) for p in (ours, theirs))
    for _ in range(2):
        ours.grad = torch.tensor([1.0, -2.0])
        first.step()
    with torch.no_grad():
        theirs.copy_(ours)
    load_optimizer(second, {name: tensor.clone() for name, tensor in optimizer_tensors(first).items()})
    for parameter, optimizer in ((ours, first), (theirs, second)):
        parameter.grad = torch.tensor([0.5, 0.5])
        optimizer.step()
    assert torch.equal(ours, theirs)
