"""Supervised learning: known optima are reached, every parameter learns, and nothing depends on chance."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from sklearn.metrics import r2_score, roc_auc_score

from models.artifacts import load, save
from models.errors import ConfigError
from models.fusion.attention import AttentionSpec
from models.fusion.base import FusionSpec
from models.fusion.concat import ConcatSpec
from models.fusion.gated import GatedSpec
from models.fusion.late import LateSpec
from models.fusion.tensor import TensorSpec
from models.fusion.weighted_sum import WeightedSumSpec
from models.heads.base import LabelHeadSpec
from models.heads.classifier import ClassifierSpec
from models.heads.regressor import RegressorSpec
from models.learn.data import Examples
from models.learn.fitting import Fitted, with_learned
from models.learn.network import JointNetwork, with_targets
from models.learn.supervised import SupervisedSpec
from tests.models.samples import DIMS, examples

FUSIONS = [
    WeightedSumSpec(dim=8),
    ConcatSpec(dim=8, hidden=8),
    GatedSpec(dim=8),
    AttentionSpec(dim=8, heads=2),
    TensorSpec(dim=8, rank=2),
    LateSpec(width=8),
]
OPTIMA = [(fusion, seed) for fusion in FUSIONS[:2] for seed in (0, 1, 2)] + [(fusion, 0) for fusion in FUSIONS[2:]]
HEADS: dict[str, LabelHeadSpec] = {
    "churn": ClassifierSpec(label="churned"),
    "segment": ClassifierSpec(label="segment", hidden=8),
    "spend": RegressorSpec(label="spend"),
    "range": RegressorSpec(label="spend", quantiles=(0.1, 0.9)),
    "interests": ClassifierSpec(label="interests"),
}

EASY: dict[str, LabelHeadSpec] = {
    "churn": ClassifierSpec(label="churned", dropout=0),
    "spend": RegressorSpec(label="spend", dropout=0),
}


def fit(
    fusion: FusionSpec, rows: Examples | None = None, heads: dict[str, LabelHeadSpec] = HEADS, **settings: object
) -> Fitted:
    """Fit on sample rows with larger steps than the default, so that few epochs suffice."""
    learner = SupervisedSpec.model_validate({"batch_rows": 64, "learning_rate": 5e-3, **settings}).build()
    return learner.fit(fusion, heads, rows if rows is not None else examples(600), examples(200, seed=1))


def test_every_fusion_is_trained_here() -> None:
    """The suite sees the kinds that ship."""
    assert [fusion.kind for fusion in FUSIONS] == ["weighted_sum", "concat", "gated", "attention", "tensor", "late"]


@pytest.mark.parametrize(("fusion", "seed"), OPTIMA, ids=[f"{fusion.kind}-{seed}" for fusion, seed in OPTIMA])
def test_a_known_optimum_is_reached(fusion: FusionSpec, seed: int) -> None:
    """Held-out R² and ROC AUC come within 0.05 and 0.03 of the best that the noisy views allow.

    A latent of variance 1 seen with noise variance 1/4 has posterior mean v / (1 + 1/4): with all three present the
    best R² is 1 / (1 + 1/4) = 0.8. The AUC's bound is that of the sum of the posterior means themselves.
    """
    held_out = examples(3000, seed=2, absent=0)
    rows = examples(1000, absent=0)
    scores = fit(fusion, rows, EASY, seed=seed, epochs=20, modality_dropout=0).scores(held_out)
    assert r2_score(held_out.labels["spend"].to_numpy(), scores["spend"].numpy()) > 0.8 - 0.05
    churned = held_out.labels["churned"].to_numpy(zero_copy_only=False)
    latents = (held_out.labels["spend"].to_numpy() - 10) / 3
    best = roc_auc_score(churned, latents + np.random.default_rng(0).normal(0, (3 / 4) ** 0.5, 3000))
    assert roc_auc_score(churned, scores["churn"].numpy()) > best - 0.03


@pytest.mark.parametrize("fusion", FUSIONS, ids=lambda spec: spec.kind)
def test_one_step_moves_every_parameter(fusion: FusionSpec) -> None:
    """Every trainable parameter, unimodal heads included, has a gradient that is not zero."""
    rows = examples(64, absent=0.3)
    filled, specs = with_learned(fusion, HEADS, rows)
    network = JointNetwork(filled, specs)
    network.loss(with_targets(rows, specs), unimodal_weight=0.1).backward()  # type: ignore[no-untyped-call]
    dead = [name for name, p in network.named_parameters() if p.requires_grad and (p.grad is None or not p.grad.any())]
    assert dead == []


@pytest.mark.parametrize("fusion", FUSIONS, ids=lambda spec: spec.kind)
def test_the_same_seed_gives_the_same_weights(fusion: FusionSpec) -> None:
    """Two fits agree bit by bit, whatever the global generator was; another seed gives other weights."""
    results = []
    for state, seed in ((1, 0), (2, 0), (1, 7)):
        torch.manual_seed(state)
        results.append(fit(fusion, epochs=2, seed=seed).fusion.state_dict())
    assert all(torch.equal(a, b) for a, b in zip(results[0].values(), results[1].values(), strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(results[0].values(), results[2].values(), strict=True))


def test_training_leaves_the_global_generator_alone() -> None:
    """What a caller draws next does not depend on a fit in between."""
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    fit(FUSIONS[0], epochs=1)
    assert torch.equal(torch.rand(1), expected)


@pytest.mark.parametrize("fusion", [FUSIONS[1], FUSIONS[-1]], ids=lambda spec: spec.kind)
def test_saved_and_loaded_modules_agree(fusion: FusionSpec, tmp_path: Path) -> None:
    """Scores of loaded artifacts are those of the fitted modules, bit by bit."""
    fitted, rows = fit(fusion, epochs=2), examples(100, seed=3)
    save(tmp_path / "fusion", fitted.fusion_spec, fitted.fusion, sources={}, card={})
    loaded_fusion = load(tmp_path / "fusion").module
    with torch.inference_mode():
        z = loaded_fusion(rows.x, rows.mask).z
        for name, head in fitted.heads.items():
            save(tmp_path / name, fitted.head_specs[name], head, sources={}, card={})
            loaded = load(tmp_path / name).module
            assert torch.equal(loaded.scores(z), fitted.scores(rows)[name])  # type: ignore[operator]  # a Head


def test_an_untrained_fusion_stays_as_seeded() -> None:
    """`trained: false` trains the heads only; the fusion is the one that its Spec builds."""
    spec = WeightedSumSpec(dim=8, trained=False)
    fitted = fit(spec)
    seeded = spec.model_copy(update={"inputs": DIMS}).build().state_dict()
    assert all(torch.equal(value, seeded[name]) for name, value in fitted.fusion.state_dict().items())
    assert fitted.history[-1].validation_loss < fitted.history[0].validation_loss


def test_the_best_epoch_is_kept() -> None:
    """Training stops `patience` epochs after the best one, and ends with that one's weights."""
    fitted = fit(FUSIONS[1], examples(60), {"spend": HEADS["spend"]}, patience=3, epochs=100)
    losses = [epoch.validation_loss for epoch in fitted.history]
    assert len(losses) == losses.index(min(losses)) + 1 + 3
    validation = examples(200, seed=1)
    targets = torch.tensor(fitted.head_specs["spend"].targets(validation.labels["spend"]))
    spend = fitted.heads["spend"]
    with torch.inference_mode():
        loss = spend.loss(spend(fitted.fuse(validation)), targets).mean()
    assert loss.item() == pytest.approx(min(losses), rel=1e-5)


def test_rows_without_a_label_do_not_count() -> None:
    """A null label leaves its row out for that head: the mean label is that of the others."""
    rows = examples(300)
    spend = pa.array([None if i % 2 else float(i) for i in range(300)], pa.float64())
    fitted = fit(FUSIONS[0], Examples(rows.inputs, rows.x, rows.mask, {**rows.labels, "spend": spend}, rows.groups))
    spec = fitted.head_specs["spend"]
    assert isinstance(spec, RegressorSpec)
    assert spec.label_mean == pytest.approx(149)  # of 0, 2, …, 298
    assert fitted.scores(rows)["spend"].isfinite().all()


def test_much_history_is_passed_over_less_often() -> None:
    """600 rows are 10 steps of 64 in an epoch: at most 25 steps are 3 epochs."""
    assert len(fit(FUSIONS[0], examples(600), steps=25).history) == 3


def test_a_rate_that_diverges_is_refused() -> None:
    """A loss that is no longer finite ends in one sentence about the learning rate, not in NaN weights."""
    with pytest.raises(ConfigError, match="learning_rate must be small enough"):
        fit(FUSIONS[0], learning_rate=1e30, heads={"spend": HEADS["spend"]})


def test_no_heads_are_refused() -> None:
    """There must be something to learn."""
    with pytest.raises(ConfigError, match="at least one head"):
        fit(FUSIONS[0], heads={})
