"""The job file that goes with the data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from benchmarks.bench_data.night import CONTENTS, KEY, LABEL
from benchmarks.bench_data.weights import RATE, SOUND_SMALL, THIN, VIT_TINY, hubert, minilm, vit

DATE = "2026-11-23"
HISTORY = "history"

Weights = Mapping[str, Path]
"""Modality type -> folder."""


def partition(date: str = DATE) -> str:
    """The name of a night's folder."""
    return f"date={date}"


def real_weights(cache: Path, modalities: tuple[str, ...]) -> Weights:
    """Models that take as long as those in use: MiniLM, ViT-Ti/16, a small HuBERT."""
    made: Mapping[str, Callable[[], Path]] = {
        "text": minilm,
        "image": lambda: vit(cache, VIT_TINY),
        "audio": lambda: hubert(cache, SOUND_SMALL),
    }
    return {modality: made[modality]() for modality in modalities}


def thin_weights(cache: Path, modalities: tuple[str, ...]) -> Weights:
    """Models that cost little and give 384, 512 and 512 numbers: where what is around the encoders is measured."""
    made: Mapping[str, Callable[[], Path]] = {
        "text": minilm,
        "image": lambda: vit(cache, THIN, patch=32, size=64),
        "audio": lambda: hubert(cache, THIN, channels=16),
    }
    return {modality: made[modality]() for modality in modalities}


def write_job(path: Path, weights: Weights, *, head: bool = False) -> Path:
    """Write a job file beside the folder `data`; the default settings, but the encoders and what makes peers alike.

    Pictures are stretched to squares, as Hugging Face's processors do, and sounds keep their loudness.

    Args:
        path: of the job file; its stem names the job and the output's folder.
        weights: of the modalities wanted.
        head: whether a classifier is trained on `data/history`, over a fusion of 128 numbers.
    """
    job: dict[str, Any] = {
        "job": path.stem,
        "input": {"path": "data/date={date}", "key": KEY},
        "modalities": {modality: _modality(modality, folder) for modality, folder in weights.items()},
        "fusion": {"kind": "weighted_sum", "dim": 128},
        "output": {"path": f"out-{path.stem}"},
        "artifacts": f"artifacts-{path.stem}",
    }
    if head:
        job["heads"] = {"churn": {"kind": "classifier", "label": LABEL}}
        job["training"] = {"path": f"data/{HISTORY}/*.parquet", "split": {"by": KEY, "held_out": 0.2}}
    path.write_text(yaml.safe_dump(job, sort_keys=False), encoding="utf-8")
    return path


def _modality(modality: str, weights: Path) -> dict[str, Any]:
    settings: Mapping[str, dict[str, Any]] = {"image": {"fit": "stretch"}, "audio": {"rate": RATE, "loudness": None}}
    encoder = {"kind": f"huggingface_{modality}", "weights": str(weights)}
    return {
        "type": modality,
        "column": CONTENTS[modality].column,
        **settings.get(modality, {}),
        "encoder": encoder,
    }
