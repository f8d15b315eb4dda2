"""Finds how each encoder is best run on this machine: measured once, remembered with its fingerprint and the machine.

What is tried is decided here; `measuring` does the work. On CPUs the layouts go from one single-threaded worker per
core to one worker with all cores: the best batch is looked for in the first, and from there in each of the others.
Inside the Beam processes, and on a GPU, which has one worker, only the batch is in question.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Mapping, Sequence, Set
from contextlib import AbstractContextManager
from typing import Final, Protocol

import pyarrow as pa
from pydantic import ValidationError

from models.batch import OpSpec
from models.encoders.base import EncoderSpec
from models.errors import AmalgamError
from models.ops import EmbedSpec
from models.schema import clean_column
from transforms.workers import notes, samples
from transforms.workers.base import WorkersSpec
from transforms.workers.fitting import fitted
from transforms.workers.layout import MOST_REPLICAS, Layout, Plan, layouts, settings_of_batch, shared
from transforms.workers.machine import Machine, free_bytes
from transforms.workers.measuring import Bench, Sample
from transforms.workers.search import Meter, best

LOG = logging.getLogger(__name__)

# A run of fewer rows is over before a second worker has paid for itself: to start one costs some 5 s of a core, in
# which a sentence encoder does some 200 rows.
LEAST_ROWS: Final = 1_000
# Finding a plan costs some 10 s of all cores, so a shorter run does as well with one single-threaded worker per core,
# which is what most measurements find.
MEASURED_ROWS: Final = 10_000
REPLICA_BYTES: Final = 1 << 30  # torch, transformers and a sentence encoder; no more than half of what is free

# Sizes that are tried, by the setting that they are of: on CPUs, where 8 to 16 rows beat large batches since their
# activations stay in the cache, and on GPUs, which want thousands of tokens to be busy.
CPU_SIZES: Final[Mapping[str, Sequence[float]]] = {
    "max_batch_tokens": (512, 1024, 2048, 4096),
    "max_batch_seconds": (5, 10, 20, 40),
    "max_batch": (4, 8, 16, 32),
    "max_batch_rows": (4, 8, 16, 32),
}
GPU_SIZES: Final[Mapping[str, Sequence[float]]] = {
    "max_batch_tokens": (8192, 16_384, 32_768, 65_536),
    "max_batch_seconds": (60, 120, 240, 480),
    "max_batch": (32, 64, 128, 256),
    "max_batch_rows": (32, 64, 128, 256),
}
ROW_FIELDS: Final = ("max_batch", "max_batch_rows")


class Measuring(Meter, Protocol):
    """A meter that also saw how much memory it took."""

    @property
    def memory(self) -> int:
        """Most bytes that one replica held."""
        ...

    @property
    def device_memory(self) -> int:
        """Bytes of the GPU; 0 without one."""
        ...

    @property
    def disturbed(self) -> bool:
        """Whether the figures say little about this machine."""
        ...


MakeBench = Callable[[OpSpec, str, Sample, int, Callable[[], float]], AbstractContextManager[Measuring]]
"""Loads an op as often as there may be replicas of it; see `measuring.Bench`."""


def plans(
    spec: WorkersSpec, ops: Mapping[str, OpSpec], rows: int | None = None, make: MakeBench = Bench
) -> dict[str, Plan]:
    """The plan of every op for which one is remembered or can be measured here; the others are run as configured.

    Never raises for what goes wrong while measuring: a warning says why, and the encoder runs as configured.

    Args:
        spec: the settings; numbers in them always win.
        ops: by name.
        rows: how many the run will send; None when that is not known.
        make: loads an op to be measured.
    """
    if spec.address not in ("local", "inline"):  # workers on other machines cannot be measured from here
        return {name: _given(spec, op) for name, op in ops.items() if spec.batch != "auto"}
    machine = Machine.here()
    measure = spec.measuring > 0 and (rows is None or rows >= MEASURED_ROWS)
    until = time.monotonic() + spec.measuring
    alone = {}
    for name, op in ops.items():
        plan = None
        try:
            plan = remembered(spec, op, machine)
            if plan is None and measure and measurable(spec, op):
                plan = _measured(spec, name, op, machine, lambda: until - time.monotonic(), make)
        except (AmalgamError, OSError) as error:
            LOG.warning("workers of %s: nothing was measured, so they run as configured: %s", name, error)
        if plan is not None or spec.batch != "auto":
            alone[name] = plan or _given(spec, op)
    if spec.address == "local" and (rows is None or rows >= LEAST_ROWS):
        alone = {**_untried(spec, [(n, op) for n, op in ops.items() if n not in alone], machine), **alone}
    return shared(alone, fixed=spec.replicas != "auto" or spec.address == "inline")


def _untried(spec: WorkersSpec, ops: Collection[tuple[str, OpSpec]], machine: Machine) -> dict[str, Plan]:
    """One single-threaded worker per core, shared among the encoders of which nothing is known."""
    heavy = [name for name, op in ops if measurable(spec, op) and not _on_gpu(op, machine)]
    if not heavy or spec.replicas != "auto" or spec.threads not in ("auto", 1):
        return {}
    most = min(machine.cores, MOST_REPLICAS, _room())
    return {name: Plan(replicas=most // len(heavy)) for name in heavy} if most > len(heavy) else {}


def _on_gpu(op: OpSpec, machine: Machine) -> bool:
    return isinstance(op, EmbedSpec) and uses_gpu(op.encoder, machine)


def _room() -> int:
    """Replicas for which there is memory."""
    return max(1, free_bytes() // REPLICA_BYTES // 2)


def foreseen(spec: WorkersSpec, ops: Mapping[str, OpSpec], rows: int) -> dict[str, Plan]:
    """How a run over so many rows would run each op, as far as that is known; nothing is measured."""
    found = plans(spec.model_copy(update={"measuring": 0}), ops, rows)
    return {name: found.get(name, spec.plan(name)) for name in ops}


def described(spec: WorkersSpec, ops: Mapping[str, OpSpec], rows: int) -> dict[str, str]:
    """One line for each op, on how a run over so many rows would run it; nothing is measured."""
    told = {}
    for name, plan in foreseen(spec, ops, rows).items():
        op = ops[name]
        unknown = plan.rate is None and spec.measuring > 0 and measurable(spec, op)
        told[name] = f"{plan}, until a long run measures it" if unknown else str(plan)
    return told


def measurable(spec: WorkersSpec, op: OpSpec) -> bool:
    """Whether there is something to be found out: an encoder with weights, and a setting that is `auto`.

    An encoder without weights costs less per row than sending the row elsewhere: one worker with one thread will do.
    """
    settings = (spec.batch,) if spec.address == "inline" else (spec.replicas, spec.threads, spec.batch)
    return isinstance(op, EmbedSpec) and "auto" in settings and bool(op.encoder.content())


def remembered(spec: WorkersSpec, op: OpSpec, machine: Machine) -> Plan | None:
    """The plan that an earlier run found for this op with these settings on such a machine."""
    if not measurable(spec, op):
        return None
    noted = notes.recall(_key(spec, op, machine))
    try:
        return None if noted is None else Plan.model_validate(noted)
    except ValidationError:  # of another version of Amalgam
        return None


def _measured(
    spec: WorkersSpec, name: str, op: OpSpec, machine: Machine, left: Callable[[], float], make: MakeBench
) -> Plan | None:
    """What is found out now, and noted for later; None where there is no choice, or no sample of such values."""
    assert isinstance(op, EmbedSpec)
    on_gpu = uses_gpu(op.encoder, machine)
    field, sizes = sizes_for(spec, op.encoder, on_gpu=on_gpu)
    possible = _possible(spec, machine, on_gpu=on_gpu)
    values = samples.values(op.encoder)
    if values is None or len(possible) * len(sizes) == 1:
        return None
    costs = [1.0] * len(values) if field in ROW_FIELDS else samples.costs(values, op.encoder)
    sample = Sample(pa.RecordBatch.from_arrays([values], [clean_column(op.name)]), costs)
    unbounded = fitted(op, Plan(batch={field: max(sizes)})) if field else op
    with make(unbounded, name, sample, max(layout.replicas for layout in possible), left) as bench:
        found = best(bench, possible, sizes, left)
    plan = Plan(
        replicas=found.layout.replicas,
        threads=found.layout.threads,
        batch={field: found.size} if field else {},
        rate=found.rate,
        memory=bench.memory,
        device_memory=bench.device_memory,
    )
    if bench.disturbed:
        LOG.info("workers of %s: the machine was busy, so the plan is for this run only: %s", name, plan)
    else:
        notes.note(_key(spec, op, machine), plan.model_dump(mode="json"))
    return plan


def sizes_for(spec: WorkersSpec, encoder: EncoderSpec, *, on_gpu: bool) -> tuple[str | None, Sequence[float]]:
    """The encoder's setting that bounds a batch, and the sizes to try; None and one size where it has none."""
    fields = _unhashed(encoder)
    if spec.batch != "auto":
        given = settings_of_batch(fields, spec.batch)
        return (next(iter(given), None), (float(spec.batch),))
    tried = GPU_SIZES if on_gpu else CPU_SIZES
    return next(((name, sizes) for name, sizes in tried.items() if name in fields), (None, (float("inf"),)))


def uses_gpu(encoder: EncoderSpec, machine: Machine) -> bool:
    """Whether the encoder will run on a GPU of this machine."""
    return bool(machine.gpus) and _prefers_gpu(encoder)


def wants_gpu(op: OpSpec) -> bool:
    """Whether the op would use a GPU if it got one."""
    return isinstance(op, EmbedSpec) and _prefers_gpu(op.encoder)


def _prefers_gpu(encoder: EncoderSpec) -> bool:
    device = str(getattr(encoder, "device", "cpu"))
    return device == "auto" or device.startswith("cuda")


def _possible(spec: WorkersSpec, machine: Machine, *, on_gpu: bool) -> list[Layout]:
    threads = 1 if spec.threads == "auto" else spec.threads
    if on_gpu or spec.address == "inline":  # GPUs are shared out later; Beam's processes are one per core already
        return [Layout(1, threads)]
    room = _room()
    return [layout for layout in layouts(machine.cores, spec.replicas, spec.threads) if layout.replicas <= room] or [
        Layout(1, threads)
    ]


def _given(spec: WorkersSpec, op: OpSpec) -> Plan:
    """As configured, with the number of rows that the user wants to be run at once."""
    plan = spec.plan("")
    if spec.batch == "auto" or not isinstance(op, EmbedSpec):
        return plan
    return plan.model_copy(update={"batch": settings_of_batch(_unhashed(op.encoder), spec.batch)})


def _unhashed(encoder: EncoderSpec) -> Set[str]:
    return type(encoder).model_fields.keys() & encoder.unhashed


def _key(spec: WorkersSpec, op: OpSpec, machine: Machine) -> dict[str, object]:
    asked = {"inline": spec.address == "inline", "replicas": spec.replicas, "threads": spec.threads}
    here = {**machine._asdict(), "gpus": list(machine.gpus)}
    return {"op": op.fingerprint(), "asked": {**asked, "batch": spec.batch}, "machine": here}
