"""Process: a unit is read, cleaned, encoded, fused, scored and closed as a part within one call."""

from __future__ import annotations

import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from models.arrow import Int64, list_parts
from models.schema import ISSUES, clean_column, emb_column
from transforms import embed
from transforms.blame import Call, Failure, judge
from transforms.diary import DEADLY, Diary
from transforms.embed import Pending
from transforms.ledger import UnitCounts
from transforms.project import Project
from transforms.read import RowGroupUnreadable, read_unit
from transforms.recall.spec import Recall
from transforms.recipe import Recipe
from transforms.reject import ROW_GROUP, Reject, Rejected, readable_key
from transforms.sinks.base import Part, PartWriter, Sink
from transforms.steps import Steps
from transforms.trial import MakeWork, Trial
from transforms.units import Unit
from transforms.workers.base import Workers

Clock = Callable[[], float]

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Care:
    """What is needed to find rows that kill the very process that processes units."""

    diary: Diary
    rehearsal: MakeWork
    deadline: float
    """Seconds that a trial of a batch may take."""


class UnitProcessor:
    """Turns units into parts."""

    def __init__(
        self,
        recipe: Recipe,
        sink: Sink,
        workers: Workers,
        clock: Clock = time.perf_counter,
        care: Care | None = None,
        recall: Recall | None = None,
    ) -> None:
        self.recipe = recipe
        self.sink = sink
        self.clock = clock
        self.care = care
        self.steps = Steps(recipe, workers)
        self.recall = recall or Recall(recipe)
        self.project = Project(recipe)
        self.output_schema = self.project.output_schema(recipe.schema)
        self.record_type = pa.struct(list(recipe.schema))

    def __call__(self, unit: Unit, repeated: Int64) -> Part:
        """Process one unit.

        Args:
            unit: what to read.
            repeated: numbers of the rows whose key stood earlier in the input.

        Returns:
            The part that the sink closed; from then on the unit is done.
        """
        lost: dict[int, str] = {}
        while True:  # once more for every row group that turns out to be unreadable
            writer = self.sink.open(unit.id, self.output_schema, self.record_type)
            try:
                counts = _Attempt(self, unit, repeated, lost, writer).run()
                return writer.close(counts)
            except RowGroupUnreadable as error:
                writer.abandon()
                lost[error.row_group] = error.reason
            except BaseException:
                writer.abandon()
                raise


class _Attempt:
    """One pass over one unit: the window of batches under way, and the counts."""

    def __init__(
        self, owner: UnitProcessor, unit: Unit, repeated: Int64, lost: Mapping[int, str], writer: PartWriter
    ) -> None:
        self._owner = owner
        self._recipe = owner.recipe
        self._unit = unit
        self._lost = lost
        self._writer = writer
        self._reject = Reject(self._recipe.schema, self._recipe.key, unit.id, repeated)
        self._window: deque[Pending] = deque()
        self._page = owner.care.diary.page(unit.id) if owner.care else None
        self.counts = UnitCounts(bytes_read=unit.bytes)
        self._session = owner.recall.session(self.counts)

    def run(self) -> UnitCounts:
        limits = self._recipe.limits
        batches = read_unit(
            self._unit,
            self._recipe.schema,
            batch_rows=limits.rows_at_once(self._recipe.modalities),
            batch_bytes=limits.batch_bytes,
            without=self._lost,
        )
        for batch in self._timed("read", batches):
            self._start(batch)
            while sum(p.nbytes for p in self._window) > limits.window_bytes and len(self._window) > 1:
                self._finish(self._window.popleft())
        while self._window:
            self._finish(self._window.popleft())
        self._session.close()
        self._count_lost()
        self.counts.check(f"unit {self._unit.id}", self._unit.rows)
        if self._page is not None:
            self._page.close()
        return self.counts

    def _start(self, batch: pa.RecordBatch) -> None:
        self.counts.rows_read += batch.num_rows
        batch = self._without_killers(batch)
        if not batch.num_rows:
            return
        with self._stage("recall"):
            looked = self._session.look(batch, ~self._reject.refused(batch))
        with self._stage("clean"):
            cleaned = self._cleaned(looked)
            if cleaned is None:
                return
            self._count_issues(cleaned, _every)
            present = [*map(clean_column, self._recipe.modalities), *self._session.usable_columns]
            kept = self._keep(self._reject(cleaned, "clean", present))
        if kept.num_rows:
            with self._stage("submit"):
                self._window.append(self._owner.steps.embed.submit(kept))

    def _cleaned(self, batch: pa.RecordBatch) -> pa.RecordBatch | None:
        """The batch cleaned, without rows at which that fails; None when no row is left."""
        with self._at(batch):
            verdict = judge(batch, self._owner.steps.clean)
            if self._session.relies(batch, verdict.guilty):  # on a row that is lost: now none relies on any
                verdict = judge(self._session.unmarked(batch), self._owner.steps.clean)
        self._without(batch, verdict.guilty, "clean")
        return None if verdict.good is None else self._session.cleaned(verdict.good)

    def _finish(self, pending: Pending) -> None:
        with self._stage("embed"), self._at(pending.batch):
            embedded = self._session.complete(pending.result())
        self._count_issues(embedded.batch, _from_embedding)
        rest = self._without(embedded.batch, embedded.guilty, "embed")
        kept = self._keep(self._reject(rest, "embed", [emb_column(m) for m in self._recipe.modalities]))
        if self._owner.steps.fuse_and_score is not None:
            with self._stage("score"):
                kept = self._through(kept, self._owner.steps.fuse_and_score, "score")
        if kept is None or not kept.num_rows:
            return
        self._count_issues(kept, self._from_head)
        with self._stage("write"):
            self._writer.write(self._owner.project(kept))
        self._count(kept)

    def _through(self, batch: pa.RecordBatch, call: Call, stage: str) -> pa.RecordBatch | None:
        """What a step makes of the batch, without the rows at which it fails; None when no row is left."""
        if not batch.num_rows:
            return None
        with self._at(batch):
            verdict = judge(batch, call)
        self._without(batch, verdict.guilty, stage)
        return verdict.good

    def _without(self, batch: pa.RecordBatch, guilty: Mapping[int, Failure], stage: str) -> pa.RecordBatch:
        """The batch without its guilty rows, which go to quarantine."""
        if not guilty:
            return batch
        for error, rows in Counter(failure.error for failure in guilty.values()).items():
            _LOG.warning("unit %s, stage %s: %d rows go to quarantine: %s", self._unit.id, stage, rows, error)
        return self._keep(self._reject.failed(batch, guilty, stage))

    def _without_killers(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The batch without rows that kill a process, if processes have died at it before."""
        care = self._owner.care
        if care is None or self._page is None or self._page.deaths(batch) < DEADLY:
            return batch
        with Trial(care.rehearsal, care.deadline) as trial:
            verdict = trial.judge(batch)
        _LOG.warning("unit %s: processes died at a batch; %d more to find the rows", self._unit.id, trial.deaths)
        return self._without(batch, verdict.guilty, "clean")

    def _at(self, batch: pa.RecordBatch) -> AbstractContextManager[None]:
        return nullcontext() if self._page is None else self._page.at(batch)

    def _keep(self, rejected: Rejected) -> pa.RecordBatch:
        if rejected.quarantined.num_rows:
            self._writer.quarantine(rejected.quarantined)
            keys = rejected.quarantined.column("key").to_pylist()
            for reason, key in zip(rejected.quarantined.column("reason").to_pylist(), keys, strict=True):
                self.counts.quarantined[reason] += 1
                if key:
                    self.counts.examples.setdefault(reason, key)
        return rejected.kept

    def _count_lost(self) -> None:
        for piece in self._unit.slices:
            if piece.row_group in self._lost:
                rows = np.arange(piece.first, piece.first + piece.rows)
                self._writer.quarantine(self._reject.lost(rows))
                self.counts.rows_read += piece.rows
                self.counts.quarantined[ROW_GROUP] += piece.rows
                place = f"{self._unit.name}, row group {piece.row_group}: {self._lost[piece.row_group]}"
                self.counts.examples.setdefault(ROW_GROUP, place)

    def _count(self, published: pa.RecordBatch) -> None:
        self.counts.rows_published += published.num_rows
        for modality, spec in self._recipe.modalities.items():
            present = published.num_rows - published.column(emb_column(modality)).null_count
            absent = spec.gather(published).null_count
            self.counts.present[modality] += present
            self.counts.absent[modality] += absent
            self.counts.masked[modality] += published.num_rows - present - absent

    def _from_head(self, code: str) -> bool:
        """A code begins with the name of its modality or of its head, which job files keep apart."""
        return code.partition(".")[0] not in self._recipe.modalities

    def _count_issues(self, batch: pa.RecordBatch, wanted: Callable[[str], bool]) -> None:
        """Count the wanted codes of a batch, also of rows that will be quarantined: there they say why."""
        codes, offsets = list_parts(batch.column(batch.schema.get_field_index(ISSUES)))
        if not len(codes):
            return
        rows = np.repeat(np.arange(batch.num_rows), np.diff(offsets))
        keys = readable_key(batch.column(batch.schema.get_field_index(self._recipe.key)))
        for entry in pc.value_counts(codes).to_pylist():
            code = entry["values"]
            if wanted(code):
                self.counts.issues[code] += entry["counts"]
                key = keys[int(rows[pc.index(codes, code).as_py()])].as_py()
                if key:
                    self.counts.examples.setdefault(code, key)

    @contextmanager
    def _stage(self, name: str) -> Iterator[None]:
        start = self._owner.clock()
        yield
        seconds = self._owner.clock() - start
        self.counts.seconds[name] = self.counts.seconds.get(name, 0.0) + seconds

    def _timed(self, name: str, items: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        iterator = iter(items)
        while True:
            with self._stage(name):
                item = next(iterator, None)
            if item is None:
                return
            yield item


def _every(_code: str) -> bool:
    return True


def _from_embedding(code: str) -> bool:
    return code.endswith(tuple(f".{known}" for known in embed.CODES))


@dataclass(frozen=True)
class Notes:
    """Folders in which the processes of a run write things down for their driver and their successors."""

    failures: str
    diary: str
