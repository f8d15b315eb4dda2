"""A nightly job in plain Beam: ReadFromParquet, RunInference, WriteToParquet; nothing of Amalgam but an encoder."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
from apache_beam.io import ReadFromParquet, WriteToParquet
from apache_beam.ml.inference.base import ModelHandler, RunInference
from PIL import Image

from models.encoders.hashed_ngrams import HashedNgramsSpec

Record = dict[str, Any]

COLUMNS = ("id", "note", "age", "segment")
SCHEMA = pa.schema(
    [("id", pa.string()), ("age", pa.float64()), ("photo", pa.list_(pa.float32())), ("fused", pa.list_(pa.float32()))]
)
SHARDS = 4
RUNNER = "FnApiRunner"
"""One machine, one process: what Amalgam runs on, too. (`DirectRunner` first looks for a binary to download.)"""
_DIM = 64
_SIDE = 8


class Encode(ModelHandler[Record, Record, Any]):  # type: ignore[misc]  # Beam ships no types
    """Adds the embedding of a record's text."""

    def load_model(self) -> Any:
        """The encoder, once per process."""
        return HashedNgramsSpec(dim=_DIM).build()

    def run_inference(self, batch: Sequence[Record], model: Any, inference_args: Any = None) -> Iterable[Record]:
        """The records of a batch with their embeddings."""
        vectors = model(pa.array([record["note"] for record in batch], pa.string()))  # [n, dim]
        return [{**record, "fused": vector.tolist()} for record, vector in zip(batch, vectors, strict=True)]


def decode(record: Record) -> Record:
    """The record with its picture as a few numbers."""
    with Image.open(io.BytesIO(record["photo"])) as picture:
        pixels = np.asarray(picture.convert("L").resize((_SIDE, _SIDE)), np.float32)  # [side, side]
    return {**record, "photo": (pixels.ravel() / 255).tolist()}


def run(inputs: Path, output: Path, shards: int = SHARDS, photos: bool = False) -> None:
    """Read every Parquet file of a folder, encode, and write `part-….parquet` files into another."""
    columns = [*COLUMNS, "photo"] if photos else list(COLUMNS)
    with beam.Pipeline(runner=RUNNER) as pipeline:
        records = pipeline | ReadFromParquet(str(inputs / "*.parquet"), columns=columns)
        if photos:
            records = records | beam.Map(decode)
        _ = (
            records
            | RunInference(Encode())
            | beam.Map(lambda record: {name: record.get(name) for name in SCHEMA.names})
            | WriteToParquet(str(output / "part"), SCHEMA, file_name_suffix=".parquet", num_shards=shards)
        )
