"""Tests of the encoders' benchmark, on a CPU and at a tiny size."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from benchmarks.gpu import TINY, Found, image_case, measure, table, text_case

CPU = torch.device("cpu")


@pytest.mark.parametrize("make", [image_case, text_case])
def test_bare_and_ours_run_all_rows(make: type, tmp_path: Path) -> None:
    """Batches hold as many rows as the encoder is given, and a round gives a figure of both ways."""
    case = make(tmp_path, TINY, 40, CPU, "float32")

    found = measure(case, 2, CPU, batches=(16,))

    assert [len(next(iter(batch.values()))) for batch in case.cut(16)] == [16, 16, 8]
    assert sum(map(len, case.windows)) == 40
    assert found.batch == 16
    assert len(found.bare) == len(found.ours) == 2
    assert found.busy == []  # nothing is known of a CPU


def test_the_ratio_is_of_the_same_round() -> None:
    """0.9, 0.5 and 1.0: a round that was slow for both counts like any other."""
    found = Found(8, bare=[100, 10, 50], ours=[90, 5, 50])

    assert found.ratio == 0.9
    assert "0.90" in list(table({"ViT": found}))[1]


def test_it_needs_neither_ray_nor_beam() -> None:
    """Importing it loads `models`, and nothing of the layers above."""
    foreign = ("ray", "apache_beam", "transforms", "pipelines")
    told = f"import sys, benchmarks.gpu; print([name for name in {foreign} if name in sys.modules])"

    said = subprocess.run(
        [sys.executable, "-c", told], cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True
    )

    assert said.stdout.strip() == "[]"
