"""Processes that decode and encode bare, at the same time, so that they share caches and memory as they would."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

_CONTEXT = multiprocessing.get_context("spawn")  # a fork would copy the locks of whatever threads run
DECODED_AT_ONCE = 64  # rows; a decoder does not care, and it bounds memory


@dataclass(frozen=True)
class Plan:
    """How a model is spread over the cores."""

    replicas: int
    threads: int
    batch: int
    """Rows that run at once."""

    def __str__(self) -> str:
        return f"{self.replicas} x {self.threads} threads, batches of {self.batch}"


@dataclass(frozen=True)
class Task:
    """What a crew is asked to measure."""

    modality: str
    weights: Path
    folder: Path
    """Of Parquet files."""
    column: str
    stride: int = 1
    """Every so-manieth batch is run; the others take as long, since batches are sorted by length."""


@dataclass(frozen=True)
class Measured:
    """What was measured, of how many rows."""

    core_seconds: float
    rows: int

    @property
    def per_row(self) -> float:
        """Seconds of one core."""
        return self.core_seconds / self.rows


def decode(task: Task, cores: int) -> Measured:
    """Bare decoding, one process for each core."""
    return _work(_decode, task, Plan(cores, 1, DECODED_AT_ONCE))


def forward(task: Task, plan: Plan) -> Measured:
    """Bare forward passes over inputs that are prepared beforehand, sorted by length and padded."""
    return _work(_forward, task, plan)


def _work(member: Callable[[Task, Plan, int, Barrier, Connection], None], task: Task, plan: Plan) -> Measured:
    barrier, pipes, members = _CONTEXT.Barrier(plan.replicas), [], []
    for number in range(plan.replicas):
        ours, theirs = _CONTEXT.Pipe(duplex=False)
        process = _CONTEXT.Process(target=member, args=(task, plan, number, barrier, theirs), daemon=True)
        process.start()
        theirs.close()  # so that a member that dies is noticed: EOFError
        pipes.append(ours)
        members.append(process)
    found = [_received(pipe, task) for pipe in pipes]
    for process in members:
        process.join()
    return Measured(plan.threads * sum(one.core_seconds for one in found), sum(one.rows for one in found))


def _received(pipe: Connection, task: Task) -> Measured:
    try:
        measured: Measured = pipe.recv()
    except EOFError as error:
        raise RuntimeError(
            f"every process must measure its share of {task.folder}; one died, as stderr says"
        ) from error
    return measured


def _decode(task: Task, plan: Plan, number: int, barrier: Barrier, result: Connection) -> None:
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    bare, values = _build(task, plan), _values(task)
    starts = range(0, len(values), plan.batch)[:: task.stride][number :: plan.replicas]
    batches = [values[start : start + plan.batch] for start in starts]
    bare.decode(values[: plan.batch])  # whatever is loaded at the first call
    barrier.wait()
    seconds = sum(_seconds(partial(bare.decode, batch)) for batch in batches)
    result.send(Measured(seconds, sum(map(len, batches))))


def _forward(task: Task, plan: Plan, number: int, barrier: Barrier, result: Connection) -> None:
    import torch

    bare, values = _build(task, plan), _values(task)
    order = (-bare.lengths(values)).argsort(kind="stable").tolist()  # longest first: memory is taken once
    batches = [order[start : start + plan.batch] for start in range(0, len(order), plan.batch)]
    mine = batches[task.stride // 2 :: task.stride][number :: plan.replicas]
    seconds, rows = 0.0, 0
    with torch.inference_mode():
        bare.forward(bare.inputs(bare.decode([values[row] for row in batches[0]])))
        barrier.wait()
        for batch in mine:
            inputs = bare.inputs(bare.decode([values[row] for row in batch]))
            seconds += _seconds(partial(bare.forward, inputs))
            rows += len(batch)
    result.send(Measured(seconds, rows))


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _build(task: Task, plan: Plan) -> Any:
    import torch
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    torch.set_num_threads(plan.threads)
    if task.modality == "text":
        from benchmarks.bare.text import BareText

        return BareText(task.weights)
    if task.modality == "image":
        from benchmarks.bare.image import BareImage

        return BareImage(task.weights)
    from benchmarks.bare.audio import BareAudio

    return BareAudio(task.weights)


def _values(task: Task) -> Sequence[Any]:
    values: list[Any] = pq.read_table(task.folder, columns=[task.column], partitioning=None)[task.column].to_pylist()
    return values
