"""What a peer is asked for: a column of Parquet files through a model, into Parquet files of keys and embeddings."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

KEY = "customer_id"
COLUMNS = {"text": "review", "image": "photo"}
EMBEDDING = "embedding"
WINDOW = 1024  # rows that a model gets at once and sorts by length, where a peer lets its user say so


@dataclass(frozen=True)
class Task:
    """One run of a peer."""

    modality: str
    source: Path
    target: Path
    weights: Path
    replicas: int
    threads: int
    """Of each replica."""
    batch: int
    """Rows that run through the model at once."""

    @property
    def column(self) -> str:
        """The input column."""
        return COLUMNS[self.modality]

    def arguments(self) -> list[str]:
        """The command line that `parse` reads."""
        return [f"--{name}={value}" for name, value in vars(self).items()]


def parse(arguments: Sequence[str]) -> Task:
    """A task from its command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--modality", choices=sorted(COLUMNS), required=True)
    for name in ("source", "target", "weights"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    for name in ("replicas", "threads", "batch"):
        parser.add_argument(f"--{name}", type=int, required=True)
    return Task(**vars(parser.parse_args(arguments)))
