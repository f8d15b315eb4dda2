"""Where a torch model runs and how precisely, and torch's ways to say that memory is short."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from models.errors import ConfigError, MemoryExceeded

_LOG = logging.getLogger(__name__)


def resolve_device(device: str) -> torch.device:
    """`auto` is the first CUDA device where there is one, else the CPU.

    Raises:
        ConfigError: torch does not know the device, or has no such one here.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        place = torch.device(device)
    except RuntimeError as error:
        raise ConfigError(f"device must be auto, cpu, cuda or cuda:<number>; got {device!r}") from error
    if place.type == "cuda" and (place.index or 0) >= torch.cuda.device_count():
        raise ConfigError(f"device must exist here; got {device!r} with {torch.cuda.device_count()} CUDA devices")
    return place


def resolve_dtype(dtype: str, device: torch.device) -> torch.dtype:
    """`auto` is bfloat16 on a CUDA device that has it, else float32 (what CPUs compute reproducibly).

    Half precision that is asked for on a CPU is granted with a warning: on CPUs without instructions for it, it is
    several times slower than float32 (0.17 of its speed was seen).
    """
    if dtype == "auto":
        return torch.bfloat16 if device.type == "cuda" and torch.cuda.is_bf16_supported() else torch.float32
    if dtype != "float32" and device.type == "cpu":
        _LOG.warning(
            "dtype %s is several times slower than float32 on CPUs without instructions for it, and less exact", dtype
        )
    return {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}[dtype]


@contextmanager
def memory_guard(device: torch.device) -> Iterator[None]:
    """Turn torch's ways to say "out of memory" into MemoryExceeded, so that the caller can try a smaller batch."""
    try:
        yield
    except RuntimeError as error:
        # The CPU's allocator has no exception class of its own.
        if not isinstance(error, torch.OutOfMemoryError) and "DefaultCPUAllocator" not in str(error):
            raise
        if device.type == "cuda":
            torch.cuda.empty_cache()
        raise MemoryExceeded(f"the batch did not fit into the memory of {device}: {error}") from error
