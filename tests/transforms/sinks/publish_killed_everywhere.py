"""Script: kill -9 a publication before the changes it makes to the file system, then publish again.

Usage: publish_killed_everywhere.py FOLDER STRIDE LAYOUT. Prints one JSON object for each trial; a STRIDE of 3 tries
every third change; LAYOUT is `exchange` or `links`.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq

from pipelines.verify import verify
from tests.transforms.sinks.samples import DATE, publish, run_info, write_units
from tests.transforms.sinks.systems import WithoutExchange
from transforms.sinks import storage
from transforms.sinks.base import Part
from transforms.sinks.layout import Layout
from transforms.sinks.parquet import ParquetSink, ParquetSinkSpec
from transforms.sinks.placing import unlinked_versions

REMOVALS = frozenset({"os.remove", "os.rmdir"})  # of names relative to an open folder
CHANGES = frozenset({"open", "os.rename", "os.mkdir", "os.link"})
LINKS = frozenset({"os.symlink"})  # whose first argument is the link's text
"""Audit events around every change; an exchange has none of its own, but folders are opened before and after it."""


def sink_of(output: Path, tag: str) -> ParquetSink:
    """The sink of one run."""
    return ParquetSinkSpec(path=str(output)).for_run(run_info(tag)).build()


def publish_until(event: int, output: Path, parts: list[Part]) -> None:
    """Publish, and be killed before the given change; never returns."""
    seen = 0

    def count(name: str, arguments: tuple[object, ...]) -> None:
        nonlocal seen
        if name in REMOVALS | LINKS or (name in CHANGES and str(output) in str(arguments[0])):
            if seen == event:
                os.kill(os.getpid(), signal.SIGKILL)
            seen += 1

    sys.addaudithook(count)
    publish(sink_of(output, "new"), parts)
    os._exit(0)


def prepare(output: Path, removed: int) -> list[Part]:
    """An old run that stands, and a new one that is ready to be published."""
    publish(sink_of(output, "old"), write_units(sink_of(output, "old"), units=2))
    return write_units(sink_of(output, "new"), units=3, value=2.0, removed=removed)


def trial(event: int, output: Path, parts: list[Part]) -> dict[str, object]:
    """One killed publication: what readers saw after it, and whether the next one healed everything."""
    child = os.fork()
    if child == 0:
        publish_until(event, output, parts)
    _, status = os.waitpid(child, 0)
    visible = pq.read_table(Layout(output).features(DATE), columns=["fingerprint", "customer_id"])
    found = sink_of(output, "new").finished()
    resumable = list(found.values()) == parts or sink_of(output, "new").is_published()
    again = publish(sink_of(output, "new"), parts)
    return {
        "killed": os.WIFSIGNALED(status),
        "stood": sorted(set(visible["fingerprint"].to_pylist())),
        "rows": visible.num_rows,
        "resumable": resumable,
        "problems": verify(output, DATE).problems,
        "files": len(again.features),
        "staging": sorted(path.name for path in Layout(output).all_staging.iterdir()),
        "unlinked": [str(path) for path in unlinked_versions(Layout(output), DATE)],
        "linked": Layout(output).features(DATE).is_symlink(),
    }


def trials(folder: Path, stride: int) -> Iterator[dict[str, object]]:
    """Trials until a publication lives; with quarantined records, then without (the old folder goes)."""
    for removed in (2, 0):
        parts = prepare(folder / f"{removed}", removed)
        event, killed = 0, True
        while killed:
            output = folder / f"{removed}-{event}"
            shutil.copytree(folder / f"{removed}", output, symlinks=True)
            result = trial(event, output, parts)
            killed = bool(result["killed"])
            event += stride
            yield result


if __name__ == "__main__":
    if sys.argv[3] == "links":
        storage.SYSTEM = WithoutExchange()
    for line in trials(Path(sys.argv[1]), int(sys.argv[2])):
        sys.stdout.write(json.dumps(line) + "\n")
