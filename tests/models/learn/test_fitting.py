"""Supervised learning done again after it was killed, its learning curve, and how large its steps are."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from models.artifacts import save
from models.fusion.attention import AttentionSpec
from models.fusion.base import FusionSpec
from models.fusion.concat import ConcatSpec
from models.fusion.late import LateSpec
from models.heads.base import LabelHeadSpec
from models.heads.classifier import ClassifierSpec
from models.heads.regressor import RegressorSpec
from models.learn.data import Examples
from models.learn.fitting import Descent, Fitted, with_learned
from models.learn.network import JointNetwork, with_targets
from models.learn.supervised import SupervisedSpec
from tests.models.samples import examples

HEADS: dict[str, LabelHeadSpec] = {
    "churn": ClassifierSpec(label="churned"),
    "range": RegressorSpec(label="spend", quantiles=(0.1, 0.5, 0.9)),
}


def fit(fusion: FusionSpec, train: Examples | None = None) -> Fitted:
    """Two passes over few rows."""
    learner = SupervisedSpec(epochs=2, batch_rows=64).build()
    return learner.fit(fusion, HEADS, train if train is not None else examples(300), examples(100, seed=1))


def fingerprints(fitted: Fitted, folder: Path) -> list[str]:
    """Of the artifacts that are written: every byte of the weights counts."""
    heads = [
        save(folder / name, fitted.head_specs[name], head, sources={}, card={}) for name, head in fitted.heads.items()
    ]
    return [save(folder / "fusion", fitted.fusion_spec, fitted.fusion, sources={}, card={}), *heads]


class Killed(Exception):
    """Raised where a process would be killed."""


@pytest.mark.parametrize("fusion", [ConcatSpec(dim=8), LateSpec(width=4)], ids=lambda spec: spec.kind)
def test_killed_and_done_again_it_gives_the_same_artifacts(
    fusion: FusionSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It leaves nothing behind that a second run could meet: training takes seconds, and begins anew."""
    undisturbed = fingerprints(fit(fusion), tmp_path / "undisturbed")
    with monkeypatch.context() as patched:
        patched.setattr(JointNetwork, "calibrate", _killed)
        with pytest.raises(Killed):
            fit(fusion)
    assert fingerprints(fit(fusion), tmp_path / "again") == undisturbed


def _killed(*_: object) -> None:
    raise Killed


def test_the_learning_curve_is_kept() -> None:
    """One line per pass, with the loss on training and on validation rows."""
    history = fit(ConcatSpec(dim=8)).history
    assert [epoch.epoch for epoch in history] == [0, 1]
    assert history[1].train_loss < history[0].train_loss
    assert history[1].validation_loss < history[0].validation_loss


def test_scores_before_calibration_can_be_had() -> None:
    """They are what temperature 1 and no offsets give."""
    fitted, rows = fit(ConcatSpec(dim=8)), examples(50, seed=3)
    before = fitted.scores(rows, calibrated=False)
    with torch.no_grad():
        fitted.heads["churn"].get_buffer("temperature").fill_(1)
        fitted.heads["range"].get_buffer("quantiles.offsets").fill_(0)
    after = fitted.scores(rows)
    assert all(torch.equal(before[name], after[name]) for name in HEADS)


def test_a_transformer_takes_smaller_steps() -> None:
    """The attention's weights are trained at 0.3 of the learning rate, the heads at all of it."""
    fusion, specs = with_learned(AttentionSpec(dim=8), HEADS, examples(50))
    network = JointNetwork(fusion, specs)
    assert [rate for _, rate in network.rates()] == [0.3, 1, 1]
    assert [module for module, _ in network.rates()] == [network.fusion, network.heads, network.unimodal]


def test_the_rate_is_that_of_each_part() -> None:
    """One step of AdamW moves a weight by the learning rate, whatever its gradient: by 0.3 of it in the attention."""
    spec, learner = AttentionSpec(dim=8, dropout=0), SupervisedSpec(epochs=1, warmup=0, weight_decay=0, batch_rows=300)
    filled, specs = with_learned(spec, HEADS, examples(300))
    with torch.random.fork_rng():
        torch.manual_seed(learner.seed)
        start = JointNetwork(filled, specs).state_dict()
    fitted = learner.build().fit(spec, HEADS, examples(300), examples(100, seed=1))
    moved = (fitted.fusion.get_parameter("types") - start["fusion.types"]).abs().max()
    assert moved.item() == pytest.approx(0.3 * learner.learning_rate, rel=0.01)
    moved = (fitted.heads["churn"].get_parameter("net.1.bias") - start["heads.0.net.1.bias"]).abs().max()
    assert moved.item() == pytest.approx(learner.learning_rate, rel=0.01)


@pytest.mark.parametrize(
    ("averaging", "shares"), [(0.9, [1 / 3, 1 / 3, 1 / 3]), (0.5, [1 / 4, 1 / 4, 1 / 2]), (0.0, [0, 0, 1])]
)
def test_what_is_kept_is_the_running_mean_of_the_weights(averaging: float, shares: list[float]) -> None:
    """Of three steps' weights a third each while there are fewer than ten; at 1/2 the last counts as all before it."""
    fusion, specs = with_learned(ConcatSpec(dim=8), HEADS, examples(50))
    network = JointNetwork(fusion, specs)
    descent, rows = Descent(network, SupervisedSpec(averaging=averaging), 3), with_targets(examples(50), specs)
    weights = []
    for _ in range(3):
        descent.step(network.loss(rows, unimodal_weight=0.1))
        weights.append([parameter.detach().clone() for parameter in network.parameters()])
    for mean, *steps in zip(descent.mean.parameters(), *weights, strict=True):
        expected = sum(share * step for share, step in zip(shares, steps, strict=True))
        torch.testing.assert_close(mean.detach(), expected)
