"""Where the plain job is run and killed, and what is then seen of its output; the oracle's questions, in words."""

from __future__ import annotations

import re
import shutil
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds

from benchmarks.faults.forks import Ended, forked
from benchmarks.plain import job
from tests.faults.expected import NO_KEY, expected, texts
from tests.faults.readers import READERS
from tests.faults.watcher import POLL_SECONDS
from tests.pipelines.tiny_jobs import DATE, records, write_night

KEY = "id"
ROWS = 300
TIMEOUT_SECONDS = 60.0  # a night takes one or two; longer than that is a hang
TEMPORARY = "beam-temp-"  # how Beam names its folders beside the parts

Sabotage = Callable[[], None]
"""Called in the process of a run before it starts: wraps functions, sets limits."""


def nothing() -> None:
    """No sabotage."""


@dataclass(frozen=True)
class State:
    """What a reader of the output folder sees, compared with the input."""

    unreadable: str = ""
    """Why pyarrow.dataset cannot read the folder; then the other fields are of the files named `part-*` alone."""
    rows: int = 0
    lost: int = 0
    """Rows of the input whose key is not published (rows without a key are not counted)."""
    doubled: int = 0
    """Published rows whose key was published before."""
    foreign: int = 0
    """Published rows of no key of the input."""
    keyless: int = 0
    """Published rows without a key."""
    non_finite: int = 0
    """Published rows with NaN or infinity."""
    temporary: int = 0
    """Temporary files among what readers may see."""

    @property
    def sound(self) -> bool:
        """Whether exactly the input's rows stand there, all finite, and nothing else."""
        return self == State(rows=self.rows) and self.rows > 0

    def __str__(self) -> str:
        counts = {
            "lost": self.lost,
            "doubled": self.doubled,
            "not of this input": self.foreign,
            "without a key": self.keyless,
            "not finite": self.non_finite,
        }
        told = [f"{number} {what}" for what, number in counts.items() if number]
        told += [f"temporary files beside the parts ({self.temporary})"] if self.temporary else []
        rows = f"{self.rows} rows published" + (f": {', '.join(told)}" if told else ", each once" * (self.rows > 0))
        return (
            f"the folder cannot be read ({self.unreadable}), its part files alone have {rows}"
            if self.unreadable
            else rows
        )


@dataclass(frozen=True)
class Lab:
    """A night of input and an output folder of its own."""

    folder: Path

    @property
    def inputs(self) -> Path:
        """The input files."""
        return self.folder / "data" / f"date={DATE}"

    @property
    def out(self) -> Path:
        """The output's root; parts stand where Amalgam's would."""
        return self.folder / "out"

    @property
    def parts(self) -> Path:
        """The folder that readers read."""
        return self.out / "features" / f"date={DATE}"

    def write(self, *tables: pa.Table) -> None:
        """Replace the input: one file per table."""
        shutil.rmtree(self.inputs, ignore_errors=True)
        write_night(self.folder, *tables)

    def fresh(self, name: str) -> Lab:
        """Another lab with the usual night: 300 records in two files."""
        lab = replace(self, folder=self.folder / name)
        lab.write(records(0, ROWS // 2), records(ROWS // 2, ROWS))
        return lab

    def run(self, sabotage: Sabotage = nothing, shards: int = job.SHARDS, photos: bool = False) -> Ended:
        """Run the job in a process of its own."""
        return forked(_run, sabotage, self.inputs, self.parts, shards, photos, timeout=TIMEOUT_SECONDS)

    def state(self, alone: bool = False) -> State:
        """What stands in the folder, or of it the files named `part-*` alone; read in a process of its own."""
        ended = forked(_state, self.inputs, self.parts, alone)
        if ended.code:
            raise RuntimeError(ended.error)
        assert isinstance(ended.value, State)
        return ended.value


def _run(sabotage: Sabotage, inputs: Path, parts: Path, shards: int, photos: bool) -> None:
    parts.mkdir(parents=True, exist_ok=True)
    sabotage()
    job.run(inputs, parts, shards, photos)


def _state(inputs: Path, parts: Path, alone: bool) -> State:
    temporary = 0 if alone else sum(TEMPORARY in str(path) for path in parts.rglob("*") if path.is_file())
    unreadable = ""
    try:
        table = ds.dataset(_named_part(parts) if alone else parts, format="parquet").to_table()
    except (pa.ArrowException, OSError) as error:
        unreadable = type(error).__name__
        table = ds.dataset(_named_part(parts), job.SCHEMA, format="parquet").to_table()
    table = table if table.num_columns else job.SCHEMA.empty_table()
    published = Counter(texts(table[KEY]))
    wanted = expected(inputs, KEY).keys
    keys = set(wanted) - {NO_KEY}
    return State(
        unreadable,
        rows=table.num_rows,
        lost=sum(wanted[key] for key in keys - set(published)),
        doubled=sum(number - 1 for key, number in published.items() if key is not NO_KEY),
        foreign=sum(number for key, number in published.items() if key is not NO_KEY and key not in keys),
        keyless=published[NO_KEY],
        non_finite=int((~np.isfinite(table["age"].to_numpy())).sum()),
        temporary=temporary,
    )


def _named_part(folder: Path) -> list[str]:
    return sorted(map(str, folder.glob("part-*")))


def torn_views(wait: Callable[[], None], out: Path) -> tuple[int, Counter[str]]:
    """Let pyarrow.dataset and dask look every 50 ms until told to stop: views in all, and those that were neither.

    The keys that stand when this begins are the old ones, those that stand when it ends are the new ones.
    """
    readers = {name: READERS[name] for name in ("pyarrow.dataset", "dask")}
    seen: Counter[frozenset[str | None] | str] = Counter()

    def look(name: str) -> frozenset[str | None] | str:
        try:
            table = readers[name](out, DATE, None)
        except Exception as error:  # noqa: BLE001  # whatever a reader raises is loud
            return f"{name} raises {type(error).__name__}"
        return frozenset(texts(table[KEY])) if table.num_columns else f"{name} finds no file"

    old, stop = look("pyarrow.dataset"), threading.Event()

    def watch() -> None:
        while not stop.wait(POLL_SECONDS):
            seen.update(look(name) for name in readers)

    thread = threading.Thread(target=watch)
    thread.start()
    wait()
    stop.set()
    thread.join()
    whole = (old, look("pyarrow.dataset"))
    told = {
        view: view if isinstance(view, str) else f"{len(view)} keys, a mixture" for view in seen if view not in whole
    }
    return seen.total(), Counter({words: seen[view] for view, words in told.items()})


def first_line(error: object, length: int = 90) -> str:
    """The first line of a message, cut."""
    line = (str(error).strip().splitlines() or [type(error).__name__])[0]
    line = re.sub(r"/\S*/", "…/", line)  # folders say nothing here
    return line if len(line) <= length else f"{line[:length]}…"


def ending(ended: Ended) -> str:
    """How a run ended, in words."""
    if ended.hung:
        return f"hangs (for {TIMEOUT_SECONDS:.0f} s)"
    if ended.code < 0:
        return f"dies of signal {-ended.code}"
    if ended.code:
        lines = [line for line in ended.error.strip().splitlines() if line and not line.startswith((" ", "Traceback"))]
        return f"fails ({first_line(lines[-1]) if lines else 'without a word'})"
    return "ends well"
