"""Tests of the data that benchmarks are measured on."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile
from PIL import Image

from benchmarks.bench_data import pictures, sounds, texts
from benchmarks.bench_data.job import partition, write_job
from benchmarks.bench_data.night import CONTENTS, Night, numbers, write
from pipelines.config import load_job
from tests.models.encoders.tiny_models import FOLDERS

ALL = tuple(CONTENTS)


def test_the_same_night_gives_the_same_rows(tmp_path: Path) -> None:
    """Two folders, the same values in every column."""
    night = Night("date=2026-11-23", 6, modalities=ALL, seed=3)

    one, other = (pq.read_table(write(tmp_path / name, night), partitioning=None) for name in ("a", "b"))

    assert one.equals(other)
    assert one.num_rows == 6


def test_another_seed_gives_other_values(tmp_path: Path) -> None:
    """Not one text stands in both."""
    tables = [write(tmp_path, Night(f"seed={seed}", 8, seed=seed)) for seed in (0, 1)]

    one, other = (set(pq.read_table(path, partitioning=None)["review"].to_pylist()) for path in tables)

    assert len(one) == len(other) == 8
    assert not one & other


@pytest.mark.parametrize("modality", ALL)
def test_the_exact_share_of_rows_repeats_an_earlier_one(modality: str) -> None:
    """20 % of 1,000 rows are copies, so 800 values are distinct, and each first stands where it is an original."""
    found = numbers(Night("n", 1000, modalities=ALL, duplicates=0.2), modality)

    assert len(np.unique(found)) == 800
    assert (found <= np.arange(1000)).all()
    assert (found[found] == found).all()


def test_modalities_repeat_at_other_rows() -> None:
    """A row whose text is a copy may have a picture of its own."""
    night = Night("n", 1000, modalities=ALL, duplicates=0.2)

    assert (numbers(night, "text") != numbers(night, "image")).any()


def test_an_edited_night_differs_in_its_share_of_texts_alone() -> None:
    """1 % of 1,000 texts are others; pictures stay."""
    before, after = Night("n", 1000, modalities=ALL), Night("m", 1000, modalities=ALL, changed=0.01)

    assert (numbers(before, "text") != numbers(after, "text")).sum() == 10
    assert (numbers(before, "image") == numbers(after, "image")).all()


def test_nights_apart_share_no_value() -> None:
    """Their numbers do not meet."""
    one, other = (numbers(Night("n", 100, first=first, duplicates=0.2), "text") for first in (0, 100))

    assert not set(one.tolist()) & set(other.tolist())


def test_texts_are_as_long_as_people_write() -> None:
    """5 to 250 words, a median of 40."""
    rng = np.random.default_rng(0)

    words = np.array([len(texts.draw(rng).split()) for _ in range(2000)])

    assert words.min() >= 5
    assert words.max() == 250
    # A median of n log-normals strays by 1.25 · 0.8 · 40 / √n = 0.9 words; 4 are 4.5 times that.
    assert abs(float(np.median(words)) - 40) <= 4


def test_pictures_are_jpegs_of_the_promised_sizes() -> None:
    """Both sides lie between 256 and 640 pixels, and no two pictures are alike."""
    rng = np.random.default_rng(0)

    drawn = [pictures.draw(rng) for _ in range(12)]

    images = [Image.open(io.BytesIO(value)) for value in drawn]
    assert {image.format for image in images} == {"JPEG"}
    assert all(256 <= side <= 640 for image in images for side in image.size)
    assert len(set(drawn)) == 12


def test_sounds_last_one_to_five_seconds() -> None:
    """By their headers; resampling may round the end up to a fiftieth of a second."""
    rng = np.random.default_rng(0)

    seconds = [soundfile.info(io.BytesIO(sounds.draw(rng))).duration for _ in range(12)]

    assert min(seconds) >= 1.0
    assert max(seconds) <= 5.02


def test_the_job_file_is_valid_for_every_modality(tmp_path: Path) -> None:
    """Amalgam accepts it, and pictures keep their whole width, as the peers' processor keeps it."""
    weights = {modality: FOLDERS[modality](tmp_path / modality) for modality in ALL}
    path = write_job(tmp_path / "job.yaml", weights, head=True)

    job = load_job(path)

    assert set(job.modalities) == set(ALL)
    assert job.modalities["image"].spec.model_dump()["fit"] == "stretch"
    assert job.input.location("2026-11-23").endswith(partition("2026-11-23"))
