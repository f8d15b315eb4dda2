"""What every BatchOp of models/ops.py keeps: rows and their order, the promised schema, results free of the batch."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from models.arrow import from_numpy
from models.artifacts import save
from models.batch import OpSpec, chain
from models.encoders.hashed_ngrams import HashedNgramsSpec
from models.fusion.concat import ConcatSpec
from models.fusion.weighted_sum import WeightedSumSpec
from models.heads.classifier import ClassifierSpec
from models.heads.regressor import RegressorSpec
from models.ops import EmbedSpec, FuseSpec, ScoreSpec
from models.schema import FUSED

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


OPS = [_embed, _fuse_seeded, _fuse_trained, _score]
OpMaker = Callable[[Path], OpSpec]


def batch(rows: int = ROWS) -> pa.RecordBatch:
    """Rows with a key, cleaned texts, embeddings with gaps and fused vectors."""
    rng = np.random.default_rng(0)
    mask = rng.random((rows, 3)) > 0.3
    mask[:, 2] |= ~mask.any(axis=1)
    texts = [f"review number {i}, {'good' if i % 3 else 'bad'}" if mask[i, 1] else None for i in range(rows)]
    columns = {"key": pa.array(range(rows), pa.int64()), "clean_review": pa.array(texts, pa.string())}
    for index, (modality, width) in enumerate(INPUTS.items()):
        values = rng.standard_normal((rows, width)).astype(np.float32)
        columns[f"emb_{modality}"] = from_numpy(values, mask[:, index])
    columns[FUSED] = from_numpy(rng.standard_normal((rows, 16)).astype(np.float32))
    return pa.RecordBatch.from_pydict(columns)


@pytest.mark.parametrize("make", OPS)
def test_rows_and_order_are_kept(make: OpMaker, tmp_path: Path) -> None:
    """The columns that came in come out as they were, row by row, but for the ones that the op makes."""
    op = make(tmp_path).build()
    result = op(batch())
    kept = [name for name in batch().schema.names if name not in (FUSED, "emb_review")]
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
