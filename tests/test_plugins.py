"""Tests that layers stay light to import, and that one new file in a folder on PYTHONPATH adds a kind."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

DATE = "2026-11-23"

MODALITY = '''
"""Colours: strings such as `#ff8000`, cleaned to three numbers from 0 to 1."""

from typing import ClassVar

import numpy as np
import pyarrow as pa
from models.arrow import from_numpy, valid_mask
from transforms.modalities.base import Cleaned, IssueLog, ModalitySpec


class ColourSpec(ModalitySpec):
    """A colour."""

    kind: ClassVar[str] = "colour"
    default_encoder: ClassVar[str] = "rgb"

    column: str
    """The input column."""

    def input_columns(self):
        return (self.column,)

    def check_types(self, schema):
        return [] if self.column in schema.names else [f"column {self.column!r} must be string; got no such column"]

    def gather(self, batch):
        return batch.column(self.column)

    def cleaned_type(self):
        return pa.list_(pa.float32(), 3)

    def build(self):
        return clean


def clean(values):
    log, rows, valid = IssueLog(len(values)), np.zeros((len(values), 3), np.float32), valid_mask(values).copy()
    for row, text in enumerate(values.to_pylist()):
        if text is not None:
            try:
                rows[row] = [int(text[i : i + 2], 16) / 255 for i in (1, 3, 5)]
            except ValueError:
                log.add("no_colour", row)
                valid[row] = False
    return Cleaned(from_numpy(rows, valid), log.to_arrow())
'''

ENCODER = '''
"""A colour's three numbers as they are."""

from typing import ClassVar

import numpy as np
from models.arrow import to_numpy
from models.encoders.base import EncoderSpec


class RgbSpec(EncoderSpec):
    """Red, green and blue."""

    kind: ClassVar[str] = "rgb"
    modality: ClassVar[str] = "colour"

    gain: float = 1.0
    """What every number is multiplied with."""

    @property
    def output_dim(self):
        return 3

    def build(self):
        return lambda values: np.asarray(to_numpy(values), np.float32) * np.float32(self.gain)
'''

FUSION = '''
"""The mean of the first `dim` numbers of every present modality."""

from typing import ClassVar

from models.fusion.base import Fused, Fusion, FusionSpec, keep_present


class FirstNumbersSpec(FusionSpec):
    """The mean of the first numbers."""

    kind: ClassVar[str] = "first_numbers"

    def build(self):
        return FirstNumbers(self)


class FirstNumbers(Fusion):
    def __init__(self, spec):
        super().__init__()
        self.dim = spec.dim

    def forward(self, x, mask):
        shares = mask / mask.sum(dim=1, keepdim=True)
        return Fused((keep_present(x, mask)[..., : self.dim] * shares.unsqueeze(-1)).sum(dim=1), shares)
'''

FILES = {
    "transforms/modalities/colour.py": MODALITY,
    "models/encoders/rgb.py": ENCODER,
    "models/fusion/first_numbers.py": FUSION,
}


def write_plugins(folder: Path, files: dict[str, str]) -> Path:
    """A folder for PYTHONPATH that holds these files and nothing else: no `__init__.py`."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.lstrip(), encoding="utf-8")
    return folder


def python(*arguments: str, plugins: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Python in a process of its own, with a folder of plugins on its path."""
    environment = {**os.environ, "PYTHONPATH": str(plugins or ""), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, *arguments], env=environment, capture_output=True, text=True, timeout=300, check=False
    )


# What is imported ---------------------------------------------------------------------------------------------------

IMPORT_ALL_OF = """
import importlib, pkgutil, sys
for name in {packages}:
    package = importlib.import_module(name)
    for module in pkgutil.walk_packages(package.__path__, name + "."):
        importlib.import_module(module.name)
print(*sorted({heavy} & set(sys.modules)))
"""


@pytest.mark.parametrize(
    ("packages", "heavy"),
    [
        (("models",), {"apache_beam", "ray", "transformers", "yaml", "typer", "rich"}),
        (("transforms.modalities",), {"apache_beam", "ray", "transformers", "torch"}),
    ],
    ids=["models", "modalities"],
)
def test_importing_a_layer_loads_nothing_heavy(packages: tuple[str, ...], heavy: set[str]) -> None:
    """Not even when every one of its files is imported."""
    done = python("-c", IMPORT_ALL_OF.format(packages=packages, heavy=heavy))

    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []


def test_importing_models_alone_loads_no_torch() -> None:
    """What only plans or describes needs no weights' library."""
    done = python("-c", "import sys, models, models.spec, models.batch, models.ops; print('torch' in sys.modules)")

    assert done.stdout.split() == ["False"], done.stderr


# New kinds ----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(FILES))
def test_one_file_adds_a_kind(tmp_path: Path, name: str) -> None:
    """Each by itself is listed with its description, beside those that ship."""
    plugins = write_plugins(tmp_path, {name: FILES[name]})
    kind, family = (
        Path(name).stem,
        {"modalities": "modality", "encoders": "encoder"}.get(Path(name).parent.name, "fusion"),
    )

    done = python("-m", "pipelines", "kinds", family, plugins=plugins)

    first_words = [line.split()[0] for line in done.stdout.splitlines() if line.strip()]
    assert done.returncode == 0, done.stderr
    assert kind in first_words
    assert {"text", "hashed_ngrams", "weighted_sum"} & set(first_words)


@pytest.mark.slow
def test_a_file_that_is_no_kind_is_named(tmp_path: Path) -> None:
    """Its kind must be its file's name: exit 78 and one paragraph."""
    plugins = write_plugins(tmp_path, {"models/encoders/colours.py": ENCODER})

    done = python("-m", "pipelines", "kinds", plugins=plugins)

    assert done.returncode == 78
    assert (
        f"{tmp_path}/models/encoders/colours.py must define one Spec of kind 'colours'; got kinds ['rgb']"
        in done.stderr
    )
    assert done.stderr.count("\n") == 1


@pytest.mark.beam
def test_new_kinds_run_end_to_end(tmp_path: Path) -> None:
    """A modality type, its encoder and a fusion, from YAML to published rows, in two worker processes."""
    plugins = write_plugins(tmp_path / "plugins", FILES)
    job = {
        "job": "colours",
        "input": {"path": "in.parquet", "key": "id"},
        "modalities": {
            "wall": {"type": "colour", "column": "wall"},
            "door": {"type": "colour", "column": "door", "encoder": {"kind": "rgb", "gain": 2}},
        },
        "fusion": {"kind": "first_numbers", "dim": 2},
        "output": {"path": "out"},
        "quarantine": {"max_fraction": 0.5},
        "workers": {"address": "inline"},
        "execution": {"processes": 2},
    }
    (tmp_path / "job.yaml").write_text(yaml.safe_dump(job), encoding="utf-8")
    walls, doors = ["#ff0000", "red", None, "beige"], ["#00ff00", "#00ff00", "#ffffff", None]
    pq.write_table(pa.table({"id": ["a", "b", "c", "d"], "wall": walls, "door": doors}), tmp_path / "in.parquet")

    done = python("-m", "pipelines", "run", str(tmp_path / "job.yaml"), "--date", DATE, plugins=plugins)

    assert done.returncode == 0, done.stderr
    (part,) = (tmp_path / "out" / "features" / f"date={DATE}").glob("*.parquet")
    rows = pq.ParquetFile(part).read().to_pylist()
    assert [row["id"] for row in rows] == ["a", "b", "c"]  # neither of d's values is a colour
    assert [row["issues"] for row in rows] == [[], ["wall.no_colour"], []]
    assert [row["emb_wall"] for row in rows] == [[1, 0, 0], [0, 0, 0], [0, 0, 0]]
    assert [row["emb_door"] for row in rows] == [[0, 2, 0], [0, 2, 0], [2, 2, 2]]
    # The mean of the present modalities' first two numbers.
    assert [row["fused"] for row in rows] == [[0.5, 1], [0, 2], [2, 2]]
    assert [row["share_door"] for row in rows] == [0.5, 1, 1]
