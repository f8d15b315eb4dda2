"""Tests of `benchmarks/floor.py`: what it adds up, and that bare encoders and ours see the same rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from benchmarks.bare import crew
from benchmarks.bare.crew import Plan, Task
from benchmarks.bare.image import BareImage
from benchmarks.bare.text import BareText
from benchmarks.bench_data.night import Night, write
from benchmarks.bench_data.weights import Shape, vit
from benchmarks.floor import Floor, Round, table
from benchmarks.nights import Pace, Run, Took
from models.arrow import from_numpy
from models.encoders.huggingface_image import HuggingFaceImageSpec
from models.encoders.huggingface_text import HuggingFaceTextSpec
from tests.models.encoders.tiny_models import text_folder

TINY = Shape(16, 1, 2)


def night(rows: int, seconds: float, core_seconds: float = 0.0) -> Run:
    """A night of so many rows that took so long."""
    return Run(rows, Took(seconds, core_seconds), {"ledger": {"total": {"seconds": {"embed": 1.0}}}})


def test_start_up_is_what_rows_do_not_explain() -> None:
    """1,000 rows take 30 s, 3,000 take 50: 10 ms each, and 20 s at the start."""
    pace = Pace(night(1000, 30.0, 12.0), night(3000, 50.0, 16.0))

    assert pace.row_seconds == 0.01
    assert pace.row_core_seconds == 0.002  # 4 s of a core over 2,000 rows
    assert pace.start_up == 20.0


def test_the_ratio_is_the_floors_time_in_amalgams() -> None:
    """A row needs 2 + 6 ms at the least and takes 10: 0.8 of the floor's speed."""
    one = Round(Floor(0.002, 0.006), Pace(night(1000, 30.0), night(3000, 50.0)))

    assert one.ratio == pytest.approx(0.8)
    assert "0.80" in list(table({}, {"text": [one]}))[1]


def test_a_counter_that_the_ledger_lacks_is_zero() -> None:
    """As in the ledger of an older run."""
    assert night(1, 1.0).count("encoded", "text") == 0


@pytest.mark.slow  # three processes that import torch
def test_a_crew_measures_its_rows(tmp_path: Path) -> None:
    """Two processes share 40 texts; of every second of five batches of 8 there are two, on one process."""
    texts, weights = write(tmp_path, Night("night", 40)), text_folder(tmp_path / "weights")

    everything = crew.forward(Task("text", weights, texts, "review"), Plan(2, 1, 8))
    strided = crew.forward(Task("text", weights, texts, "review", stride=2), Plan(1, 2, 8))

    assert (everything.rows, strided.rows) == (40, 16)
    assert min(everything.core_seconds, strided.core_seconds) > 0


def test_bare_decoding_gives_what_the_model_takes(tmp_path: Path) -> None:
    """Token numbers within the model's positions, as many as `lengths` says."""
    bare = BareText(text_folder(tmp_path / "weights"))
    values = ["the shoe", "good " * 100]

    decoded = bare.decode(values)

    assert [len(ids) for ids in decoded] == [4, 64]  # with [CLS] and [SEP]; the model has 64 positions
    assert bare.lengths(values).tolist() == [4, 64]
    assert bare.inputs(decoded)["attention_mask"].sum(dim=1).tolist() == [4, 64]


def test_bare_texts_are_what_our_encoder_sees(tmp_path: Path) -> None:
    """The mean over the bare states is our embedding."""
    folder = text_folder(tmp_path / "weights")
    values = ["the shoe arrived late", "never again"]
    bare = BareText(folder)

    inputs = bare.inputs(bare.decode(values))
    with torch.inference_mode():
        states = bare.forward(inputs)  # [2, T, 16]

    mask = inputs["attention_mask"][..., None]
    expected = (states * mask).sum(dim=1) / mask.sum(dim=1)
    found = HuggingFaceTextSpec(weights=str(folder), pooling="mean", device="cpu").build()(pa.array(values))
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-5)


def test_bare_pictures_are_what_our_encoder_sees(tmp_path: Path) -> None:
    """The first bare state of a decoded JPEG is our embedding of the same pixels."""
    folder = vit(tmp_path, TINY, patch=8, size=32)
    photos = pq.read_table(write(tmp_path, Night("night", 2, modalities=("image",))), partitioning=None)
    bare = BareImage(folder)

    pixels = bare.decode(photos["photo"].to_pylist())
    with torch.inference_mode():
        states = bare.forward(bare.inputs(pixels))  # [2, T, 16]

    encoder = HuggingFaceImageSpec(weights=str(folder), pooling="cls", device="cpu").build()
    found = encoder(from_numpy(np.stack(pixels).reshape(2, -1)))
    np.testing.assert_allclose(found, states[:, 0].numpy(), atol=1e-5)
