"""EmbedOp and FuseOp: masked rows, what an encoder must not do, and what is refused."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pytest

from models.arrow import Float32, from_numpy, to_numpy
from models.artifacts import save
from models.encoders.base import EncoderSpec
from models.errors import ConfigError, InternalError
from models.fusion.weighted_sum import WeightedSumSpec
from models.ops import EmbedOp, EmbedSpec, FuseSpec

INPUTS = {"photo": 2, "review": 2}


class LengthEncoder:
    """Embeds a text as [length, 1]; "nan" always fails, "shy" fails only beside others."""

    def __init__(self, width: int) -> None:
        self.width = width
        self.seen: list[list[str]] = []

    def __call__(self, values: pa.Array) -> Float32:
        texts: list[str] = values.to_pylist()
        self.seen.append(texts)
        rows = np.ones((len(texts), self.width), np.float32)
        rows[:, 0] = [self._first(text, alone=len(texts) == 1) for text in texts]
        return rows

    def _first(self, text: str, alone: bool) -> float:
        return float("nan") if text == "nan" or (text == "shy" and not alone) else len(text)


class LengthSpec(EncoderSpec):
    """A text encoder for these tests; `real` is the width that it really has."""

    kind: ClassVar[str] = "length"
    modality: ClassVar[str] = "text"

    real: int = 2

    @property
    def output_dim(self) -> int:
        return 2

    def build(self) -> LengthEncoder:
        return LengthEncoder(self.real)


def embed(texts: list[str | None], real: int = 2) -> tuple[pa.Array, LengthEncoder]:
    """The embeddings of these texts, and the encoder that was asked."""
    op = EmbedOp(EmbedSpec(name="review", encoder=LengthSpec(real=real)))
    encoder = op._encoder
    assert isinstance(encoder, LengthEncoder)
    batch = pa.RecordBatch.from_pydict({"clean_review": pa.array(texts, pa.string())})
    return op(batch).column("emb_review"), encoder


def embeddings(rows: Iterable[list[float] | None]) -> pa.Array:
    """An embedding column of width 2."""
    return pa.array(list(rows), pa.list_(pa.float32(), 2))


def fuse(spec: FuseSpec, **columns: pa.Array) -> pa.RecordBatch:
    """The fused batch of these columns."""
    return spec.build()(pa.RecordBatch.from_pydict(columns))


def test_only_values_that_are_there_are_encoded() -> None:
    """The encoder sees no null; its results go back to their rows, the others are null."""
    column, encoder = embed([None, "ab", None, "abc"])
    assert column.to_pylist() == [None, [2.0, 1.0], None, [3.0, 1.0]]
    assert encoder.seen == [["ab", "abc"]]


@pytest.mark.parametrize("texts", [[], [None, None]])
def test_nothing_to_encode_calls_no_encoder(texts: list[str | None]) -> None:
    """An empty batch, and one where all is masked, give nulls without a call."""
    column, encoder = embed(texts)
    assert column.to_pylist() == texts
    assert encoder.seen == []


def test_a_row_that_is_not_finite_is_tried_alone() -> None:
    """An accident of the batch is healed by a second call on that value alone; a lasting NaN becomes null."""
    column, encoder = embed(["ab", "shy", "nan", "abcd"])
    assert column.to_pylist() == [[2.0, 1.0], [3.0, 1.0], None, [4.0, 1.0]]
    assert encoder.seen == [["ab", "shy", "nan", "abcd"], ["shy"], ["nan"]]


def test_another_width_than_promised_is_refused() -> None:
    """The Spec says 2, the encoder gives 3: a configuration error, exit 78."""
    with pytest.raises(ConfigError, match=r"of shape \[1, 2\].*got \[1, 3\]"):
        embed(["a"], real=3)


def test_null_embeddings_are_masked() -> None:
    """A null embedding has share 0, and the row is fused as if the other modality were all there is."""
    spec = FuseSpec(fusion=WeightedSumSpec(dim=4, inputs=INPUTS))
    photo = embeddings([[1.0, 2.0], [1.0, 2.0]])
    result = fuse(spec, emb_photo=photo, emb_review=embeddings([None, [3.0, 1.0]]))
    assert result.column("share_review").to_pylist() == [0.0, 0.5]
    alone = fuse(FuseSpec(fusion=WeightedSumSpec(dim=4, inputs={"photo": 2})), emb_photo=photo)
    np.testing.assert_array_equal(to_numpy(result.column("fused"))[0], to_numpy(alone.column("fused"))[0])


def test_what_stands_behind_a_null_does_not_matter() -> None:
    """Bytes under a null, NaN included, reach nothing."""
    spec, valid = FuseSpec(fusion=WeightedSumSpec(dim=4, inputs=INPUTS)), np.array([False])
    photo = embeddings([[1.0, 2.0]])
    results = [
        fuse(spec, emb_photo=photo, emb_review=from_numpy(np.full((1, 2), junk, np.float32), valid))
        for junk in (0.0, np.nan)
    ]
    assert results[0].column("fused").equals(results[1].column("fused"))


def test_a_row_without_any_modality_is_an_internal_error() -> None:
    """Such rows were quarantined before; fused they would be NaN."""
    nothing = embeddings([None])
    with pytest.raises(InternalError, match="at least one modality"):
        fuse(FuseSpec(fusion=WeightedSumSpec(dim=4, inputs=INPUTS)), emb_photo=nothing, emb_review=nothing)


def test_an_embedding_of_another_width_is_refused() -> None:
    """Width 3 where the fusion reads 2."""
    wide = pa.array([[1.0, 2.0, 3.0]], pa.list_(pa.float32(), 3))
    with pytest.raises(ConfigError, match="emb_review must be"):
        fuse(FuseSpec(fusion=WeightedSumSpec(dim=4, inputs=INPUTS)), emb_photo=embeddings([[1, 2]]), emb_review=wide)


def test_a_missing_column_is_named() -> None:
    """The error names the column and those that are there."""
    with pytest.raises(ConfigError, match="column 'emb_review'; got emb_photo"):
        fuse(FuseSpec(fusion=WeightedSumSpec(dim=4, inputs=INPUTS)), emb_photo=embeddings([[1, 2]]))


def test_exactly_one_source_of_the_fusion() -> None:
    """Neither or both of `fusion` and `artifact` is a mistake."""
    with pytest.raises(ValueError, match="exactly one"):
        FuseSpec()
    with pytest.raises(ValueError, match="exactly one"):
        FuseSpec(fusion=WeightedSumSpec(inputs=INPUTS), artifact="somewhere")


def test_another_encoder_than_in_training_is_refused(tmp_path: Path) -> None:
    """A fusion artifact knows the encoders that it was trained on."""
    spec = WeightedSumSpec(dim=4, inputs=INPUTS)
    save(tmp_path, spec, spec.build(), sources={"photo": "a", "review": "b"}, card={})
    fuse_spec = FuseSpec(artifact=str(tmp_path))
    fuse_spec.require_encoders({"photo": "a", "review": "b"})
    with pytest.raises(ConfigError, match="the review that it was trained on"):
        fuse_spec.require_encoders({"photo": "a", "review": "c"})


def test_fingerprints_do_not_depend_on_the_place(tmp_path: Path) -> None:
    """The same artifact in two folders is the same fusion."""
    spec = WeightedSumSpec(dim=4, inputs=INPUTS)
    for name in ("a", "b"):
        save(tmp_path / name, spec, spec.build(), sources={}, card={})
    first, second = (FuseSpec(artifact=str(tmp_path / name)).fingerprint() for name in ("a", "b"))
    assert first == second


def test_importing_the_ops_does_not_load_torch() -> None:
    """Processes that only plan stay small."""
    code = "import models.ops, models.scoring, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
