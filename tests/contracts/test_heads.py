"""What every registered label head must keep: promised columns, finite losses, one fit for all."""

from __future__ import annotations

import pickle
from typing import Any, NamedTuple, get_args

import numpy as np
import pyarrow as pa
import pytest
import torch

from models.heads._late import LateHead
from models.heads.base import LabelHead, LabelHeadSpec, Task
from models.late import Late
from models.spec import discover


class Case(NamedTuple):
    """A head as a job file gives it, and six labels of which one is null."""

    kind: str
    settings: dict[str, Any]
    labels: list[Any]


CASES = {
    "binary": Case("classifier", {"abstain_below": 0.6}, [True, False, None, True, False, False]),
    "multiclass": Case("classifier", {"abstain_below": 0.5}, ["a", "b", "c", None, "a", "b"]),
    "multilabel": Case("classifier", {"abstain_below": 0.6}, [["a"], ["a", "b"], [], None, ["c"], ["b"]]),
    "regression": Case("regressor", {}, [1.0, 2.5, None, 4.0, 0.5, 3.0]),
    "log": Case("regressor", {"transform": "log"}, [1.0, 2.5, None, 40.0, 0.5, 3.0]),
    "quantile": Case(
        "regressor", {"quantiles": [0.1, 0.5, 0.9], "abstain_above": 2.0}, [1.0, 2.5, None, 4.0, 0.5, 3.0]
    ),
}
KINDS = [kind for kind, spec in discover("head").items() if issubclass(spec, LabelHeadSpec)]
LAYOUTS = {
    "mixed": None,
    "product": Late(modalities=3, width=4, pool="product"),
    "mean": Late(modalities=3, width=4, pool="mean"),
}
VARIANTS = [(name, layout) for name in CASES for layout in LAYOUTS]
every_variant = pytest.mark.parametrize(("name", "layout"), VARIANTS)
WIDTH = 3 * (4 + 1)  # three vectors of four numbers, and their mask


def fitted(name: str, layout: str = "mixed") -> LabelHeadSpec:
    """The Spec with what the sample labels teach."""
    case = CASES[name]
    spec = discover("head")[case.kind].model_validate({"label": "y", "hidden": 4, **case.settings})
    assert isinstance(spec, LabelHeadSpec)
    return spec.fitted(pa.array(case.labels), WIDTH).model_copy(update={"late": LAYOUTS[layout]})


def head(name: str, layout: str) -> LabelHead:
    """A fitted head in evaluation mode."""
    torch.manual_seed(0)
    built = fitted(name, layout).build()
    built.eval()
    return built


def targets(name: str) -> torch.Tensor:
    """The five targets that are known."""
    return torch.tensor(fitted(name).targets(pa.array(CASES[name].labels).drop_null()))


def fused(rows: int) -> torch.Tensor:
    """Random fused vectors; read side by side, row i lacks modality i mod 4 (if there is one of that number)."""
    z = torch.randn(rows, WIDTH, generator=torch.Generator().manual_seed(0))
    mask = torch.arange(3) != torch.arange(rows)[:, None] % 4  # [B, M]
    z[:, :12] *= mask.repeat_interleave(4, dim=1)
    z[:, 12:] = mask.float()
    return z


def test_every_label_head_and_task_has_sample_labels() -> None:
    """The suite runs over every label head that is registered, and over everything that one can predict."""
    assert sorted(KINDS) == sorted({case.kind for case in CASES.values()})
    assert {fitted(name).task for name in CASES} == set(get_args(Task))


@every_variant
@pytest.mark.parametrize("rows", [0, 1, 6])
def test_published_columns_are_those_promised(name: str, layout: str, rows: int) -> None:
    """`publish_rows` gives the arrays that `output_fields` promises, without nulls, and one flag per row and issue."""
    spec = fitted(name, layout)
    scores = head(name, layout).scores(fused(rows)).detach().numpy()
    columns, issues = spec.publish_rows("churn", scores)
    assert list(columns) == [field.name for field in spec.output_fields("churn")]
    for field in spec.output_fields("churn"):
        assert (columns[field.name].type, len(columns[field.name])) == (field.type, rows)
        assert (field.nullable, columns[field.name].null_count) == (False, 0)
    assert all(flags.dtype == np.dtype(bool) and flags.shape == (rows,) for flags in issues.values())


@every_variant
def test_scores_are_finite_before_and_after_calibration(name: str, layout: str) -> None:
    """Also in a row without any modality, as padding has none; both have the shape that is published."""
    built, z = head(name, layout), torch.cat([fused(5), torch.zeros(1, WIDTH)])
    built.calibrate(built(fused(5)).detach(), targets(name))
    scores, before = built.scores(z), built.scores(z, calibrated=False)
    assert scores.shape == before.shape
    assert torch.isfinite(scores).all()
    assert torch.isfinite(before).all()


@pytest.mark.parametrize("name", CASES)
def test_null_labels_have_no_target(name: str) -> None:
    """A target is NaN where the label is null and only there."""
    labels = CASES[name].labels
    found = fitted(name).targets(pa.array(labels)).reshape(len(labels), -1)
    assert found.dtype == np.float32
    assert np.isnan(found).tolist() == [[label is None] * found.shape[1] for label in labels]


@every_variant
def test_loss_is_one_finite_number_per_row(name: str, layout: str) -> None:
    """`loss` keeps the rows apart."""
    built = head(name, layout)
    loss = built.loss(built(fused(5)), targets(name))
    assert loss.shape == (5,)
    assert torch.isfinite(loss).all()


@pytest.mark.parametrize("name", CASES)
def test_calibration_does_not_lower_the_likelihood(name: str) -> None:
    """After `calibrate`, the calibrated loss on the same rows is at most what it was."""
    built, target = head(name, "mixed"), targets(name)
    raw = 5 * built(fused(5)).detach()
    before = built.loss(raw, target).mean()
    built.calibrate(raw, target)
    assert built.loss(built.calibrated(raw), target).mean() <= before + 1e-6


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("layout", ["product", "mean"])
def test_late_scores_do_not_depend_on_what_is_absent(name: str, layout: str) -> None:
    """Another vector in the place of an absent modality changes no score; one in the place of a present one does."""
    built, z = head(name, layout), fused(4)
    absent, present = z.clone(), z.clone()
    absent[0, :4] = 7.0  # row 0 lacks modality 0
    present[3, :4] = 7.0  # row 3 has all
    scores = built.scores(z)
    assert torch.equal(built.scores(absent), scores)
    assert not torch.equal(built.scores(present)[3], scores[3])


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("layout", ["product", "mean"])
def test_late_nets_learn_nothing_from_each_other(name: str, layout: str) -> None:
    """The gradient of one modality's net is what it is where the other vectors are others."""
    gradients = []
    for other in (0.0, 3.0):
        built, z = head(name, layout), fused(5)
        z[:, 4:12] = other
        z[:, 12] = 1.0
        built.loss(built(z), targets(name)).sum().backward()  # type: ignore[no-untyped-call]
        assert isinstance(built, LateHead)
        gradients.append([p.grad for p in built.experts[0].parameters()])
    assert all(torch.equal(a, b) for a, b in zip(*gradients, strict=True))


@every_variant
def test_spec_round_trip(name: str, layout: str) -> None:
    """A fitted Spec survives its settings and pickle."""
    spec = fitted(name, layout)
    settings = spec.settings()
    assert settings.pop("kind") == CASES[name].kind
    assert type(spec).model_validate(settings) == spec
    assert pickle.loads(pickle.dumps(spec)) == spec  # noqa: S301  # our own bytes


@pytest.mark.parametrize(("late", "name"), [(layout, name) for name, layout in VARIANTS])
def test_state_is_finite_and_has_no_nets_twice(late: str, name: str) -> None:
    """Every weight and buffer has a name of its own: safetensors would refuse shared ones."""
    state = head(name, late).state_dict()
    assert len({value.data_ptr() for value in state.values()}) == len(state)
    assert all(torch.isfinite(value).all() for value in state.values())
