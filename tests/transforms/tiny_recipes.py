"""Small recipes over a text and a few numbers, and one call that processes a folder into memory."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from models.arrow import Float32
from models.encoders.base import Encoder, EncoderSpec
from models.encoders.feature_vector import FeatureVectorSpec
from models.fusion.weighted_sum import WeightedSumSpec
from models.ops import FuseSpec
from models.statistics import CategoryStatistics, NumberStatistics
from tests.transforms.sinks.samples import run_info
from transforms.modalities.base import ModalitySpec
from transforms.modalities.tabular import TabularSpec
from transforms.modalities.text import TextSpec
from transforms.process import UnitProcessor
from transforms.recipe import Limits, Recipe
from transforms.sinks.base import Part, Sink
from transforms.sinks.memory import MemorySinkSpec, output
from transforms.units import Unit, plan_input
from transforms.workers.base import Workers
from transforms.workers.inline import InlineWorkers

START, END = datetime(2026, 11, 23, tzinfo=UTC), datetime(2026, 11, 24, tzinfo=UTC)
DIM = 4
FUSED_DIM = 8
AGE = NumberStatistics(count=100, mean=40.0, variance=100.0, quantiles={"0.001": 10.0, "0.999": 90.0})
SEGMENT = CategoryStatistics(count=100, vocabulary=("gold", "silver"))
MODALITIES: Mapping[str, ModalitySpec] = {
    "note": TextSpec(column="note", max_chars=100),
    "profile": TabularSpec(
        numeric=("age",), categorical=("segment",), statistics={"age": AGE, "segment": SEGMENT}, clip=None
    ),
}


class LettersSpec(EncoderSpec):
    """A text as DIM numbers that can be worked out in the head; texts with `broken` in them have none."""

    kind: ClassVar[str] = "letters"
    modality: ClassVar[str] = "text"

    @property
    def output_dim(self) -> int:
        """DIM."""
        return DIM

    def build(self) -> Encoder:
        """The encoder."""
        return letters


def letters(values: pa.Array) -> Float32:
    """`[n, DIM]`: length, number of e's, 1, 0; NaN for a text with `broken` in it."""
    rows = [[len(t), t.count("e"), 1, 0] if "broken" not in t else [np.nan] * DIM for t in values.to_pylist()]
    return np.array(rows, np.float32).reshape(-1, DIM)


ENCODERS: Mapping[str, EncoderSpec] = {"note": LettersSpec(), "profile": FeatureVectorSpec(dim=16)}


def make_recipe(schema: pa.Schema, **changes: Any) -> Recipe:
    """The recipe of a night, with `changes` to its fields."""
    inputs = {name: encoder.output_dim for name, encoder in ENCODERS.items()}
    recipe = Recipe(
        schema=schema,
        key="id",
        event_timestamp=None,
        keep=(),
        modalities=MODALITIES,
        encoders=ENCODERS,
        fuse=FuseSpec(fusion=WeightedSumSpec(dim=FUSED_DIM, inputs=inputs)),
        score=None,
        fused_dim=FUSED_DIM,
        score_fields=(),
        interval=(START, END),
        fingerprint="f" * 64,
    )
    return replace(recipe, **changes)


@dataclass(frozen=True)
class Processed:
    """What a folder became."""

    parts: Sequence[Part]
    rows: pa.Table
    quarantine: pa.Table | None
    processor: UnitProcessor

    @property
    def part(self) -> Part:
        """The one part, where there is one unit."""
        (part,) = self.parts
        return part

    @property
    def reasons(self) -> dict[int, tuple[str, str]]:
        """Row number -> (stage, reason) of every quarantined row."""
        if self.quarantine is None:
            return {}
        columns = [self.quarantine.column(name).to_pylist() for name in ("row", "stage", "reason")]
        return {row: (stage, reason) for row, stage, reason in zip(*columns, strict=True)}


def plan_units(folder: Path, unit_rows: int = 10_000) -> tuple[pa.Schema, tuple[Unit, ...]]:
    """Schema and units of a folder."""
    inputs = plan_input(str(folder), ["id", "note", "age", "segment"], unit_rows, 1 << 40)
    return inputs.schema, inputs.units


def process(
    folder: Path,
    *,
    unit_rows: int = 10_000,
    repeated: Sequence[int] = (),
    limits: Limits | None = None,
    workers: Workers | None = None,
    sink: Sink | None = None,
    **changes: Any,
) -> Processed:
    """Process every unit of a folder; `changes` are to the recipe."""
    name = uuid.uuid4().hex
    info = run_info()
    schema, units = plan_units(folder, unit_rows)
    recipe = make_recipe(schema, **{"limits": limits or Limits(), **changes})
    sink = sink or MemorySinkSpec(name=name).for_run(info).build()
    processor = UnitProcessor(recipe, sink, workers or InlineWorkers())
    parts = [processor(unit, np.array(repeated, np.int64)) for unit in units]
    staged = output(name).staging.get(info.run_id, {})
    found = [staged[unit.id] for unit in units if unit.id in staged]
    rows = pa.concat_tables([s.features for s in found]) if found else pa.table({})
    lines = [s.quarantine for s in found if s.quarantine is not None]
    return Processed(parts, rows, pa.concat_tables(lines) if lines else None, processor)
