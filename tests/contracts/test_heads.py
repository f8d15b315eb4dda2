"""What every registered label head must keep: promised columns, finite losses, one fit for all."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch

from models.heads.base import LabelHead, LabelHeadSpec
from models.spec import discover

LABELS: dict[str, list[Any]] = {
    "classifier": ["a", "b", "c", None, "a", "b"],
    "regressor": [1.0, 2.5, None, 4.0, 0.5, 3.0],
}
KINDS = [kind for kind, spec in discover("head").items() if issubclass(spec, LabelHeadSpec)]


def spec_of(kind: str) -> LabelHeadSpec:
    """The kind's Spec as a job file gives it."""
    spec = discover("head")[kind].model_validate({"label": "y", "hidden": 4})
    assert isinstance(spec, LabelHeadSpec)
    return spec


def fitted(kind: str) -> LabelHeadSpec:
    """The Spec with what the sample labels teach."""
    return spec_of(kind).fitted(pa.array(LABELS[kind]), input_dim=5)


def head(kind: str) -> LabelHead:
    """A fitted head in evaluation mode."""
    torch.manual_seed(0)
    built = fitted(kind).build()
    built.eval()
    return built


def fused(rows: int) -> torch.Tensor:
    """Random fused vectors."""
    return torch.randn(rows, 5, generator=torch.Generator().manual_seed(0))


def test_every_label_head_has_sample_labels() -> None:
    """The suite runs over every label head that is registered."""
    assert sorted(KINDS) == sorted(LABELS)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rows", [0, 1, 6])
def test_published_columns_are_those_promised(kind: str, rows: int) -> None:
    """`output_columns` gives the arrays that `output_fields` promises, without nulls."""
    spec = fitted(kind)
    scores = head(kind).scores(fused(rows)).detach().numpy()
    columns = spec.output_columns("churn", scores)
    assert list(columns) == [field.name for field in spec.output_fields("churn")]
    for field in spec.output_fields("churn"):
        assert (columns[field.name].type, len(columns[field.name])) == (field.type, rows)
        assert (field.nullable, columns[field.name].null_count) == (False, 0)


@pytest.mark.parametrize("kind", KINDS)
def test_null_labels_have_no_target(kind: str) -> None:
    """A target is NaN where the label is null and only there."""
    targets = fitted(kind).targets(pa.array(LABELS[kind]))
    assert targets.dtype == np.float32
    assert np.isnan(targets).tolist() == [label is None for label in LABELS[kind]]


@pytest.mark.parametrize("kind", KINDS)
def test_loss_is_one_finite_number_per_row(kind: str) -> None:
    """`loss` keeps the rows apart."""
    target = torch.tensor(fitted(kind).targets(pa.array(LABELS[kind]).drop_null()))
    loss = head(kind).loss(head(kind)(fused(5)), target)
    assert loss.shape == (5,)
    assert torch.isfinite(loss).all()


@pytest.mark.parametrize("kind", KINDS)
def test_calibration_does_not_lower_the_likelihood(kind: str) -> None:
    """After `calibrate`, the calibrated loss on the same rows is at most what it was."""
    built, target = head(kind), torch.tensor(fitted(kind).targets(pa.array(LABELS[kind]).drop_null()))
    raw = 5 * built(fused(5)).detach()
    before = built.loss(raw, target).mean()
    built.calibrate(raw, target)
    temperature = dict(built.named_buffers()).get("temperature", torch.ones(()))
    assert built.loss(raw / temperature, target).mean() <= before + 1e-6


@pytest.mark.parametrize("kind", KINDS)
def test_spec_round_trip(kind: str) -> None:
    """A fitted Spec survives its settings and pickle."""
    spec = fitted(kind)
    settings = spec.settings()
    assert settings.pop("kind") == kind
    assert type(spec).model_validate(settings) == spec
    assert pickle.loads(pickle.dumps(spec)) == spec  # noqa: S301  # our own bytes
