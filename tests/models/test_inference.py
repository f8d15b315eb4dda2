"""Tests of pooling, batching, devices and errors of memory around pretrained models."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from models.errors import ConfigError, MemoryExceeded
from models.inference import cut_by_cost, memory_guard, pool, resolve_device, resolve_dtype

CPU = torch.device("cpu")
NAN = float("nan")
STATES = torch.tensor([[[1.0], [2.0], [6.0]], [[4.0], [8.0], [NAN]], [[NAN], [5.0], [7.0]]])  # [3, 3, 1]
MASK = torch.tensor([[True, True, True], [True, True, False], [False, True, True]])


@pytest.mark.parametrize(("how", "expected"), [("cls", [1, 4, 5]), ("mean", [3, 6, 6]), ("last", [6, 8, 7])])
def test_pooling_sees_only_what_is_no_padding(how: str, expected: list[float]) -> None:
    """First, mean and last of the states under the mask, with padding on either side; NaN in padding is not seen."""
    assert pool(STATES, MASK, how)[:, 0].tolist() == expected


def test_pooling_sums_in_float32() -> None:
    """The mean of many equal bfloat16 states is exactly that state."""
    states = torch.full((1, 3000, 1), 1.0, dtype=torch.bfloat16)

    pooled = pool(states, torch.ones(1, 3000, dtype=torch.bool), "mean")

    assert pooled.dtype == torch.float32
    assert pooled.item() == 1.0


def test_batches_are_cut_by_their_padded_size() -> None:
    """Longest first, ties in order, each batch's rows times its longest within the budget, a long row alone."""
    batches = cut_by_cost(np.array([3, 9, 2, 3, 30, 1]), budget=10)

    # 30 alone; 9 alone; 3·3 = 9 holds three rows: 0, 3 and 2; then 1.
    assert [batch.tolist() for batch in batches] == [[4], [1], [0, 3, 2], [5]]


def test_no_rows_need_no_batches() -> None:
    """An empty call does nothing."""
    assert cut_by_cost(np.array([], dtype=np.int64), 10) == []


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
