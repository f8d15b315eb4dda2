"""How an encoder's workers are laid out on a machine: how many, with how many threads, and what they take at once."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Annotated, Final, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

Auto = Literal["auto"]

MOST_REPLICAS: Final = 8  # of one encoder by itself: each holds its weights (a BERT-base 0.4 GB) and torch (0.3 GB)
# Threads must win by this much where nothing else runs. They wait for each other at the end of every operator, and so
# for whichever of them shares its core with a process that decodes: beside other busy programs on two cores, one worker
# with two threads encoded 0.36 of what one worker with one thread did (MiniLM, batches of 1,024 tokens).
THREADS_MUST_WIN: Final = 1.1
# Replicas of several encoders that share the cores: a quarter more than their share of the work, since absent values
# shift it.
ELBOW_ROOM: Final = 1.25


class Layout(NamedTuple):
    """Workers of one encoder on one machine."""

    replicas: int
    threads: int


class Plan(BaseModel):
    """How one encoder is run; travels with the WorkersSpec."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    replicas: Annotated[int, Field(ge=1)] = 1
    """Workers."""
    threads: Annotated[int, Field(ge=1)] = 1
    """CPU threads of each."""
    batch: dict[str, float] = {}
    """Settings of the encoder that say how much is run at once, where they are other than its own."""
    rate: float | None = None
    """Rows/s that were measured with all replicas; None: nothing was measured."""
    memory: int = 0
    """Bytes that one replica held at its peak (on a GPU: of the GPU's), where it was measured."""
    device_memory: int = 0
    """Bytes of the GPU on which that was measured; 0: it was a CPU."""
    memory_share: float | None = None
    """Share of that memory which one replica may take; None: as much as there is."""
    gpus: float | None = None
    """GPUs that each replica asks Ray for; None: an equal share of all."""
    first_gpu: int | None = None
    """The GPU on which the first replica sits, the next one on the next; None: where Ray puts them."""

    def __str__(self) -> str:
        """As in `2 workers x 1 thread, max_batch_tokens 1,024 (measured: 240 rows/s)`."""
        workers = f"{self.replicas} worker{'s'[: self.replicas > 1]} x {self.threads} thread{'s'[: self.threads > 1]}"
        batch = [f"{name} {value:,g}" for name, value in self.batch.items()]
        measured = "" if self.rate is None else f" (measured: {self.rate:.3g} rows/s)"
        return ", ".join([workers, *batch]) + measured


def layouts(cores: int, replicas: int | Auto = "auto", threads: int | Auto = "auto") -> list[Layout]:
    """The layouts that are worth a try on so many cores; fewest threads first, given numbers as they are."""
    if replicas != "auto" and threads != "auto":
        return [Layout(replicas, threads)]
    if threads != "auto":
        return list(dict.fromkeys([Layout(_fitting(cores, threads), threads), Layout(1, threads)]))
    if replicas != "auto":
        return [Layout(replicas, t) for t in dict.fromkeys([1, max(1, cores // replicas)])]
    counts = sorted({*(2**k for k in range(cores.bit_length())), cores})
    return [Layout(cores // t, t) for t in counts if cores // t <= MOST_REPLICAS]


def _fitting(cores: int, threads: int) -> int:
    return min(max(1, cores // threads), MOST_REPLICAS)


def shared(alone: Mapping[str, Plan], fixed: bool) -> dict[str, Plan]:
    """The plans for encoders that run side by side.

    Every record goes through each encoder, so an encoder's part of the work is its time per row: plan i, which gives
    rate_i rows/s with the whole machine, needs the part p_i = (1/rate_i) / Σ (1/rate_j) of it, and gets
    ceil(replicas_i · p_i · ELBOW_ROOM) of its replicas. A replica that waits costs memory and no time.

    Args:
        alone: the plans that are best for each encoder by itself; those without a rate stay as they are.
        fixed: whether the number of replicas was given by the user.
    """
    rates = {name: plan.rate for name, plan in alone.items() if plan.rate and not plan.device_memory}
    work = sum(1 / rate for rate in rates.values())
    found = dict(alone)
    for name, rate in rates.items():
        plan = alone[name]
        needed = math.ceil(plan.replicas * ELBOW_ROOM / rate / work)
        if not fixed:
            found[name] = plan.model_copy(update={"replicas": min(plan.replicas, needed)})
    return found


def settings_of_batch(fields: Collection[str], rows: int) -> dict[str, float]:
    """The encoder's setting that bounds the rows of what it runs at once, set to `rows`; empty where it has none."""
    for name in ("max_batch_rows", "max_batch"):
        if name in fields:
            return {name: rows}
    return {}
