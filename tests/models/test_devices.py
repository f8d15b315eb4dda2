"""Tests of devices, precision and errors of memory."""

from __future__ import annotations

import pytest
import torch

from models.devices import memory_guard, resolve_device, resolve_dtype
from models.errors import ConfigError, MemoryExceeded

CPU = torch.device("cpu")


def test_out_of_memory_becomes_our_own_error() -> None:
    """Both ways in which torch says it; every other error stays itself."""
    with pytest.raises(MemoryExceeded, match="did not fit into the memory of cpu"), memory_guard(CPU):
        raise torch.OutOfMemoryError("CUDA out of memory")
    with pytest.raises(MemoryExceeded), memory_guard(CPU):
        torch.empty(1 << 60)
    with pytest.raises(RuntimeError, match="sizes"), memory_guard(CPU):
        raise RuntimeError("sizes do not match")


def test_devices_are_checked() -> None:
    """Unknown names and devices that are not there are configuration errors."""
    with pytest.raises(ConfigError, match="device must be auto, cpu"):
        resolve_device("toaster")
    with pytest.raises(ConfigError, match="device must exist here; got 'cuda:99'"):
        resolve_device("cuda:99")
    assert resolve_device("cpu") == CPU


def test_precision_is_float32_on_cpus() -> None:
    """What is not asked for is reproducible."""
    assert resolve_dtype("auto", CPU) == torch.float32
    assert resolve_dtype("bfloat16", CPU) == torch.bfloat16


def test_half_precision_on_a_cpu_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    """It is slower and less exact there, so that nobody should get it unawares."""
    resolve_dtype("float32", CPU)
    assert not caplog.records

    resolve_dtype("bfloat16", CPU)

    assert "dtype bfloat16 is several times slower" in caplog.text
