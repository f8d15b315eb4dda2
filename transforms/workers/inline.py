"""Workers in the process itself: the fake that ships with Amalgam, and the choice where Ray is not wanted."""

from __future__ import annotations

import json
import logging
import tempfile
import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

import pyarrow as pa

from models.batch import BatchOp, OpSpec
from transforms.workers import tuning
from transforms.workers.base import Running, Usage, WorkersSpec, built, run
from transforms.workers.fitting import fitted
from transforms.workers.tally import Tally, use_threads

LOG = logging.getLogger(__name__)


class InlineFuture:
    """A batch that is worked on when its result is asked for (so that a window of them holds inputs only)."""

    def __init__(self, op: InlineOp, batch: pa.RecordBatch) -> None:
        self._op = op
        self._batch = batch

    def result(self) -> pa.RecordBatch:
        """The op's result; raises what the op raises, and MemoryExceeded when the batch does not fit."""
        return self._op(self._batch)


class InlineOp:
    """An op of this process behind the interface of a remote one."""

    def __init__(self, op: BatchOp, diary: Diary | None = None, name: str = "") -> None:
        self._op = op
        self._name = name
        self._diary = diary
        self._tally = Tally()

    @property
    def usage(self) -> Usage:
        """What the op did so far."""
        return self._tally.total

    def output_schema(self, schema: pa.Schema) -> pa.Schema:
        """The op's own promise."""
        return self._op.output_schema(schema)

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The op's result, now."""
        try:
            with self._tally.batch(self._op, batch.num_rows):
                return run(self._op, batch)
        finally:
            if self._diary is not None:
                self._diary.note(self._name, self._tally.total)

    def load(self, replicas: int | None = None) -> None:
        """See `RemoteOp`; this one is loaded."""

    def submit(self, batch: pa.RecordBatch) -> InlineFuture:
        """The op's result, when asked for."""
        return InlineFuture(self, batch)


class Diary:
    """What the ops of one process did, in a file that its driver reads; a process that is killed leaves its last word.

    Args:
        folder: the run's own.
    """

    def __init__(self, folder: str) -> None:
        self._path = Path(folder) / f"{uuid.uuid4().hex}.json"
        self._usage: dict[str, Usage] = {}
        self._writing = threading.Lock()

    def note(self, name: str, usage: Usage) -> None:
        """Write down what the op of this name did so far."""
        with self._writing:
            self._usage[name] = usage
            unfinished = self._path.with_suffix(".part")
            try:
                unfinished.write_text(json.dumps(self._usage), encoding="utf-8")
                unfinished.replace(self._path)
            except OSError as error:  # the driver is gone, and the folder with it; no row is to blame for that
                LOG.info("what the encoder of %s did is not written down: %s", name, error)

    @staticmethod
    def read(folder: str) -> dict[str, Usage]:
        """What all processes wrote, added up."""
        found: dict[str, Usage] = {}
        for path in Path(folder).glob("*.json"):
            for name, numbers in json.loads(path.read_text(encoding="utf-8")).items():
                found[name] = found.get(name, Usage()).plus(Usage(*numbers))
        return found


class InlineWorkers:
    """Builds each op once in this process.

    Args:
        spec: with the plans of the ops and the folder for their accounts; neither when not given.
    """

    _building: ClassVar = threading.Lock()  # a runner's threads share a process, and imports of transformers do not

    def __init__(self, spec: WorkersSpec | None = None) -> None:
        self._spec = spec or WorkersSpec(address="inline")
        self._diary = Diary(self._spec.notes) if self._spec.notes else None
        self._ops: dict[tuple[str, str], InlineOp] = {}

    def remote(self, spec: OpSpec, name: str) -> InlineOp:
        """The op of this process under this name.

        Raises:
            ConfigError: it cannot be built.
        """
        key = (name, spec.fingerprint())
        with self._building:
            if key not in self._ops:
                plan = self._spec.plan(name)
                self._ops[key] = InlineOp(built(fitted(spec, plan), name), self._diary, name)
                use_threads(plan.threads)
        return self._ops[key]

    def usage(self) -> dict[str, Usage]:
        """Op -> what it did so far."""
        return {name: op.usage for (name, _), op in self._ops.items()}

    def close(self) -> None:
        """Drop the ops and their weights."""
        self._ops.clear()


@contextmanager
def start(spec: WorkersSpec, ops: Mapping[str, OpSpec] | int = 1, rows: int | None = None) -> Iterator[Running]:
    """Nothing to start: encoders run inside the Beam processes; how much each does at once is found out."""
    plans = {} if isinstance(ops, int) else tuning.plans(spec, ops, rows)
    with tempfile.TemporaryDirectory(prefix="amalgam-usage-", ignore_cleanup_errors=True) as folder:
        last: dict[str, Usage] = {}

        def usage() -> Mapping[str, Usage]:
            if Path(folder).exists():
                last.update(Diary.read(folder))
            return last

        found = "inline: encoders run inside the Beam processes, without Ray"
        yield Running(spec.model_copy(update={"plans": plans, "notes": folder}), found, lambda: 0, usage)
        usage()
