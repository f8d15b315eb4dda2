"""What hostile values cost a cleaner: issue codes, peak memory and CPU time, measured in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from transforms.modalities.base import ModalitySpec

# The high-water mark of this very program (VmHWM): `getrusage` would still tell that of the process it was forked
# from. It is set back before each value, and what malloc keeps is given back, so that no value pays for another.
_MEASURE = """
import ctypes, json, sys, time, pathlib
import pyarrow as pa
from models.spec import discover

def status(name):
    lines = pathlib.Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) / 1024

kind, settings, file = sys.argv[1:]
clean = discover("modality")[kind].model_validate_json(settings).build()
values = pa.ipc.open_file(pa.OSFile(file)).get_batch(0).column(0)
clean(values.slice(0, 1))
for row in range(1, len(values)):
    value = values.slice(row, 1)
    ctypes.CDLL(None).malloc_trim(0)
    pathlib.Path("/proc/self/clear_refs").write_text("5")
    before, started = status("VmHWM"), time.process_time()
    issues = clean(value).issues.to_pylist()[0]
    seconds = time.process_time() - started
    print(json.dumps([issues, status("VmHWM") - before, seconds]))
"""


class Cost(NamedTuple):
    """Of cleaning one value."""

    issues: list[str]
    megabytes: float
    """By which the process grew at most."""
    seconds: float
    """Of CPU."""


def costs(spec: ModalitySpec, values: pa.Array, folder: Path) -> list[Cost]:
    """Clean values one after the other in a fresh process: the first, which only loads what all need, and the others.

    Args:
        spec: the cleaner's.
        values: a good value, then those that are measured.
        folder: for the file that takes the values over.
    """
    with pa.ipc.new_file(folder / "values.arrow", pa.schema([("value", values.type)])) as file:
        file.write_batch(pa.record_batch({"value": values}))
    command = [sys.executable, "-c", _MEASURE, spec.kind, spec.model_dump_json(), str(folder / "values.arrow")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    return [Cost(*json.loads(line)) for line in done.stdout.splitlines()]
