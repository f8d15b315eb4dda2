"""What every BatchOp of `models` keeps: rows and their order, the promised schema, results free of the batch."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from torch import nn

from models.arrow import from_numpy
from models.artifacts import save
from models.batch import OpSpec, chain
from models.encoders.hashed_ngrams import HashedNgramsSpec
from models.fusion.concat import ConcatSpec
from models.fusion.weighted_sum import WeightedSumSpec
from models.heads.classifier import ClassifierSpec
from models.heads.policy_gradient import PolicyGradientHeadSpec
from models.heads.q_learning import QLearningHeadSpec
from models.heads.regressor import RegressorSpec
from models.ops import EmbedSpec, FuseSpec
from models.schema import FUSED, ISSUES, ISSUES_TYPE
from models.scoring import ScoreSpec

INPUTS = {"photo": 6, "review": 4, "visits": 8}
ROWS = 150  # more than two blocks of 64


def _embed(folder: Path) -> OpSpec:
    return EmbedSpec(name="review", encoder=HashedNgramsSpec(dim=64))


def _fuse_seeded(folder: Path) -> OpSpec:
    return FuseSpec(fusion=WeightedSumSpec(dim=16, inputs=INPUTS))


def _fuse_trained(folder: Path) -> OpSpec:
    spec = ConcatSpec(dim=16, hidden=8, inputs=INPUTS)
    save(folder / "fusion", spec, spec.build(), sources={}, card={})
    return FuseSpec(artifact=str(folder / "fusion"))


def _score(folder: Path) -> OpSpec:
    for name, spec in {
        "churn": ClassifierSpec(label="churned").fitted(pa.array([True, False]), 16),
        "segment": ClassifierSpec(label="segment", hidden=4).fitted(pa.array(["a", "b", "c"]), 16),
        "spend": RegressorSpec(label="spend").fitted(pa.array([1.0, 2.0]), 16),
    }.items():
        save(folder / name, spec, spec.build(), sources={}, card={})
    return ScoreSpec(heads={name: str(folder / name) for name in ("churn", "segment", "spend")})


def _decide(folder: Path) -> OpSpec:
    """A policy that draws among what is allowed, and a greedy one that also publishes all values."""
    log = {"action": "offer", "reward": "revenue", "propensity": "p", "hidden": 8}
    fusion, actions = ConcatSpec(dim=16, hidden=8, inputs=INPUTS), pa.array(["none", "call", "mail"])
    for name, spec in {
        "offer": PolicyGradientHeadSpec(allowed="allowed", **log).with_actions(actions, fusion),
        "limit": QLearningHeadSpec(values=True, **log).with_actions(actions, fusion),
    }.items():
        save(folder / name, spec, disturbed(spec.build()), sources={}, card={})
    return ScoreSpec(heads={name: str(folder / name) for name in ("offer", "limit")}, key="key", occasion="shop/day")


OPS = [_embed, _fuse_seeded, _fuse_trained, _score, _decide]
OpMaker = Callable[[Path], OpSpec]


def batch(rows: int = ROWS) -> pa.RecordBatch:
    """Rows with a key, cleaned texts, embeddings with gaps and fused vectors."""
    rng = np.random.default_rng(0)
    mask = rng.random((rows, 3)) > 0.3
    mask[:, 2] |= ~mask.any(axis=1)
    texts = [f"review number {i}, {'good' if i % 3 else 'bad'}" if mask[i, 1] else None for i in range(rows)]
    allowed = [None if i % 7 == 0 else ["mail", "none"][: i % 3] for i in range(rows)]
    columns = {
        "key": pa.array(range(rows), pa.int64()),
        "clean_review": pa.array(texts, pa.string()),
        "allowed": pa.array(allowed, pa.list_(pa.string())),
        ISSUES: pa.array([["review.cut"] if i % 5 == 0 else [] for i in range(rows)], ISSUES_TYPE),
    }
    for index, (modality, width) in enumerate(INPUTS.items()):
        values = rng.standard_normal((rows, width)).astype(np.float32)
        columns[f"emb_{modality}"] = from_numpy(values, mask[:, index])
    columns[FUSED] = from_numpy(rng.standard_normal((rows, 16)).astype(np.float32))
    return pa.RecordBatch.from_pydict(columns)


def disturbed(module: nn.Module) -> nn.Module:
    """The module with weights that prefer something: as built, decision heads prefer nothing."""
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(torch.randn_like(parameter))
    return module


@pytest.mark.parametrize("make", OPS)
def test_rows_and_order_are_kept(make: OpMaker, tmp_path: Path) -> None:
    """The columns that came in come out as they were, row by row, but for the ones that the op makes."""
    op = make(tmp_path).build()
    result = op(batch())
    kept = [name for name in batch().schema.names if name not in (FUSED, "emb_review", ISSUES)]
    assert result.select(kept).equals(batch().select(kept))


@pytest.mark.parametrize("make", OPS)
@pytest.mark.parametrize("rows", [0, 1, ROWS])
def test_the_promised_schema_is_kept(make: OpMaker, tmp_path: Path, rows: int) -> None:
    """The result has the schema that op and Spec promise, also for an empty batch."""
    spec = make(tmp_path)
    op = spec.build()
    result = op(batch(rows))
    assert result.schema.equals(op.output_schema(batch().schema), check_metadata=True)
    assert isinstance(spec, EmbedSpec | FuseSpec | ScoreSpec)
    assert result.schema.equals(spec.output_schema(batch().schema), check_metadata=True)
    assert result.num_rows == rows
    result.validate(full=True)


@pytest.mark.parametrize("make", OPS)
@pytest.mark.parametrize(("start", "length"), [(0, 1), (1, 63), (7, 64), (100, 50), (149, 1)])
def test_a_slice_gives_a_slice_bit_by_bit(make: OpMaker, tmp_path: Path, start: int, length: int) -> None:
    """A row's result depends on no neighbour, no position and no batch size, to the last bit."""
    op = make(tmp_path).build()
    assert op(batch().slice(start, length)).equals(op(batch()).slice(start, length))


@pytest.mark.parametrize("make", OPS)
def test_the_order_of_rows_does_not_matter(make: OpMaker, tmp_path: Path) -> None:
    """Reversed rows give reversed results, bit by bit."""
    op, backwards = make(tmp_path).build(), pa.array(range(ROWS - 1, -1, -1))
    assert op(batch().take(backwards)).equals(op(batch()).take(backwards))


@pytest.mark.parametrize("make", OPS)
def test_a_spec_travels(make: OpMaker, tmp_path: Path) -> None:
    """A Spec survives its settings and pickle, and keeps its fingerprint."""
    spec = make(tmp_path)
    settings = spec.settings()
    assert settings.pop("kind") == spec.kind
    again = type(spec).model_validate(settings)
    assert (again, again.fingerprint()) == (spec, spec.fingerprint())
    assert pickle.loads(pickle.dumps(spec)) == spec  # noqa: S301  # our own bytes


def test_ops_chain(tmp_path: Path) -> None:
    """Embed, fuse and score one after the other, and the schema is known beforehand."""
    review = EmbedSpec(name="review", encoder=HashedNgramsSpec(dim=64))
    fuse = FuseSpec(fusion=WeightedSumSpec(dim=16, inputs={**INPUTS, "review": 64}))
    op = chain(review.build(), fuse.build(), _score(tmp_path).build())
    result = op(batch())
    assert result.schema.equals(op.output_schema(batch().schema), check_metadata=True)
    assert result.column("score_churn").null_count == 0
