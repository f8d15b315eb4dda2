"""The machine that workers run on: what a plan for them depends on besides the encoder."""

from __future__ import annotations

import os
import platform
import resource
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import NamedTuple


class Machine(NamedTuple):
    """What a plan depends on besides the encoder."""

    cpu: str
    cores: int
    gpus: tuple[str, ...]
    torch: str

    @classmethod
    def here(cls) -> Machine:
        """This one; cores are those that this process may use."""
        return cls(_cpu(), len(os.sched_getaffinity(0)), _gpus(), metadata.version("torch"))


def free_bytes() -> int:
    """Memory that new processes may take, caches that would make room included (proc(5), MemAvailable)."""
    with suppress(OSError):
        for line in Path("/proc/meminfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) << 10
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2


def peak_bytes() -> int:
    """Most resident memory of this program so far.

    On Linux not as `getrusage(2)` tells it, which starts with the peak of the process that started this one.
    """
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) << 10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes, on macOS


def _cpu() -> str:
    """The processor's name, as Linux tells it."""
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
        if names:
            return names[0]
    return platform.processor() or platform.machine()


def _gpus() -> tuple[str, ...]:
    """Names of the GPUs that this process may use, as Nvidia's driver tells them; torch need not be loaded for it."""
    if os.environ.get("CUDA_VISIBLE_DEVICES") == "":
        return ()
    found = []
    for path in sorted(Path("/proc/driver/nvidia/gpus").glob("*/information")):
        with suppress(OSError):
            found += [line.partition(":")[2].strip() for line in path.read_text().splitlines() if "Model" in line]
    return tuple(found)
