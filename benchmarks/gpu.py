"""How busy does an encoder keep its device? Our encoders against bare forward passes of the same models, in one run.

    python benchmarks/gpu.py --device cuda
    python benchmarks/gpu.py --device cpu --size tiny --rows 256

A ViT-B/16 and a BERT of base size, from their configurations, with random weights, in bfloat16 (on a CPU
in float32). Bare: inputs lie on the device beforehand, texts sorted by length over all rows, at the best batch size of
a sweep. Ours: `Spec.build()` and a call with Arrow arrays of cleaned values, tokenizing, scaling and copying included.
Bare and ours are measured in turn; the ratio is the median over the rounds. Where nvidia-smi is at hand, the device's
busy share is sampled meanwhile.

Needs the `models` package alone, with torch and transformers; neither Ray nor Beam.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean, median
from types import TracebackType
from typing import Any

import numpy as np
import pyarrow as pa
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.bench_data.weights import BASE, Shape, bert, vit
from models.arrow import from_numpy
from models.encoders.base import Encoder
from models.encoders.huggingface_image import HuggingFaceImageSpec
from models.encoders.huggingface_text import HuggingFaceTextSpec

GOAL, BUSY_GOAL = 0.9, 0.9
WINDOW = 4096  # rows
BATCHES = (32, 64, 128, 256, 512)
TINY = Shape(32, 2, 2)
VOCABULARY = tuple(f"word{number}" for number in range(20_000))
_MEDIAN_TOKENS, _TOKENS_SIGMA, _TOKENS = 50.0, 0.8, (6, 320)  # 5 to 250 words of 1.27 tokens, see bench_data.texts
_SAMPLE_SECONDS = 0.1

Batch = Mapping[str, torch.Tensor]


@dataclass(frozen=True)
class Case:
    """A model with what it is given."""

    name: str
    model: torch.nn.Module
    encoder: Encoder
    windows: Sequence[pa.Array]
    """Cleaned values, as many at once as a worker gets."""
    cut: Callable[[int], list[Batch]]
    """Rows at once -> all rows as batches on the device."""


@dataclass
class Found:
    """Rows per second of both ways, and the device's busy share while ours ran."""

    batch: int
    bare: list[float] = field(default_factory=list)
    ours: list[float] = field(default_factory=list)
    busy: list[float] = field(default_factory=list)

    @property
    def ratio(self) -> float:
        """Ours to bare, in the same round."""
        return median(ours / bare for ours, bare in zip(self.ours, self.bare, strict=True))


class BusyShare:
    """Samples how busy a CUDA device is; knows nothing where there is no nvidia-smi."""

    def __init__(self, device: torch.device) -> None:
        self.samples: list[float] = []
        program = shutil.which("nvidia-smi") if device.type == "cuda" else None
        self._command = [
            program,
            "--query-gpu=utilization.gpu",
            "--format=csv,noheader,nounits",
            f"-i={_index(device)}",
        ]
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True) if program else None

    def __enter__(self) -> BusyShare:
        if self._thread:
            self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stop.set()
        if self._thread:
            self._thread.join()

    def _sample(self) -> None:
        while not self._stop.wait(_SAMPLE_SECONDS):
            said = subprocess.run([str(part) for part in self._command], capture_output=True, text=True, check=True)
            self.samples.append(float(said.stdout) / 100)


def _index(device: torch.device) -> int:
    return device.index or 0


def image_case(cache: Path, shape: Shape, rows: int, device: torch.device, dtype: str) -> Case:
    """Noise as pictures: a model takes as long for any."""
    size, patch = (224, 16) if shape == BASE else (32, 8)
    folder = vit(cache, shape, patch=patch, size=size)
    spec = HuggingFaceImageSpec(weights=str(folder), device=str(device), dtype=dtype, normalize=True)
    pixels = np.random.default_rng(0).integers(0, 256, (min(rows, WINDOW), size * size * 3), dtype=np.uint8)
    window = from_numpy(pixels)

    def cut(batch: int) -> list[Batch]:
        picture = torch.randn(batch, 3, size, size, device=device, dtype=getattr(torch, dtype))
        return [{"pixel_values": picture[: min(batch, rows - start)]} for start in range(0, rows, batch)]

    return Case(
        "ViT",
        _model(folder, device, dtype),
        spec.build(),
        [window.slice(0, rows - start) for start in range(0, rows, WINDOW)],
        cut,
    )


def text_case(cache: Path, shape: Shape, rows: int, device: torch.device, dtype: str) -> Case:
    """Texts of known words, a token each; lengths as people write."""
    folder = bert(cache, shape, VOCABULARY)
    spec = HuggingFaceTextSpec(weights=str(folder), device=str(device), dtype=dtype, pooling="mean", normalize=True)
    rng = np.random.default_rng(0)
    lengths = np.exp(np.log(_MEDIAN_TOKENS) + _TOKENS_SIGMA * rng.standard_normal(rows))
    lengths = np.clip(lengths, *_TOKENS).astype(np.int64)
    words = np.array(VOCABULARY)
    texts = [" ".join(words[rng.integers(0, len(words), length - 2)]) for length in lengths]  # and [CLS], [SEP]
    ordered = -np.sort(-lengths)

    def cut(batch: int) -> list[Batch]:
        return [_tokens(ordered[start : start + batch], device) for start in range(0, rows, batch)]

    windows = [pa.array(texts[start : start + WINDOW]) for start in range(0, rows, WINDOW)]
    return Case("BERT", _model(folder, device, dtype), spec.build(), windows, cut)


def _tokens(lengths: np.ndarray[Any, np.dtype[np.int64]], device: torch.device) -> Batch:
    """Any tokens of these lengths, and their mask, int64 `[B, T]`."""
    mask = torch.arange(int(lengths.max())) < torch.from_numpy(np.ascontiguousarray(lengths))[:, None]
    return {"input_ids": (mask * 7).to(device), "attention_mask": mask.long().to(device)}


def _model(folder: Path, device: torch.device, dtype: str) -> torch.nn.Module:
    from transformers import AutoModel

    model = AutoModel.from_pretrained(folder, dtype=getattr(torch, dtype))
    loaded: torch.nn.Module = model.eval().to(device)
    return loaded


def measure(case: Case, rounds: int, device: torch.device, batches: Sequence[int] = BATCHES) -> Found:
    """Sweep the bare batch size, then measure bare and ours in turn."""
    rows = sum(map(len, case.windows))

    @torch.inference_mode()
    def bare(prepared: Sequence[Batch]) -> None:
        for inputs in prepared:
            case.model(**inputs)

    def ours() -> None:
        for window in case.windows:
            case.encoder(window)

    def pace(work: Callable[[], object]) -> float:
        _wait(device)
        began = time.perf_counter()
        work()
        _wait(device)
        return rows / (time.perf_counter() - began)

    def swept(batch: int) -> float:
        prepared = case.cut(batch)
        bare(prepared[:1])
        return pace(lambda: bare(prepared))

    found = Found(max(batches, key=swept))
    prepared = case.cut(found.batch)
    ours()  # kernels are chosen, ceilings and plans found out
    for _ in range(rounds):
        found.bare.append(pace(lambda: bare(prepared)))
        with BusyShare(device) as busy:
            found.ours.append(pace(ours))
        found.busy += busy.samples
    return found


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def table(found: Mapping[str, Found]) -> Iterator[str]:
    """A line for each model."""
    yield f"{'model':<8}{'bare, rows/s':>14}{'ours, rows/s':>14}{'ratio':>8}{'busy':>8}  best bare batch"
    for name, one in found.items():
        busy = f"{mean(one.busy):.0%}" if one.busy else "-"
        yield f"{name:<8}{median(one.bare):>14,.0f}{median(one.ours):>14,.0f}{one.ratio:>8.2f}{busy:>8}  {one.batch}"


def main() -> int:
    """Measure and print; 0 if both aims are reached."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", help="cuda, cuda:<number> or cpu; the first that is there by default")
    parser.add_argument("--dtype", choices=("bfloat16", "float16", "float32"), help="bfloat16, on a CPU float32")
    parser.add_argument("--size", default="base", choices=("base", "tiny"), help="tiny: to try the harness on a CPU")
    parser.add_argument("--rows", type=int, help="32,768 by default, some seconds of a large GPU; on a CPU 256")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--data", type=Path, help="where models are kept for the next time")
    options = parser.parse_args()
    device = torch.device(options.device or ("cuda" if torch.cuda.is_available() else "cpu"))
    on_gpu, shape = device.type == "cuda", BASE if options.size == "base" else TINY
    # bfloat16 without its instructions would tell nothing about a CPU.
    dtype, rows = options.dtype or ("bfloat16" if on_gpu else "float32"), options.rows or (32_768 if on_gpu else 256)
    with tempfile.TemporaryDirectory(prefix="gpu-") as scratch:
        cache = (options.data or Path(scratch)) / "weights"
        found = {}
        for make in (image_case, text_case):
            case = make(cache, shape, rows, device, dtype)
            found[case.name] = measure(case, options.rounds, device)
    where = torch.cuda.get_device_name(device) if on_gpu else "CPU"
    sys.stdout.write(f"{where}, {dtype}, {rows:,} rows, torch {torch.__version__}\n")
    sys.stdout.writelines(f"{line}\n" for line in table(found))
    busy = all(mean(one.busy) >= BUSY_GOAL for one in found.values() if one.busy)
    return 0 if busy and all(one.ratio >= GOAL for one in found.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
