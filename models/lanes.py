"""Lanes carry batches from numpy to a device and results back, beside the computing where the device allows it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeAlias

import numpy.typing as npt
import torch
from torch import Tensor

from models.arrow import Float32

Inputs: TypeAlias = Mapping[str, npt.NDArray[Any]]
"""A model's arguments, one batch of them."""


class Lane(Protocol):
    """The way to a device and back."""

    ahead: int
    """How many batches are started before the oldest one's result is waited for."""

    def upload(self, inputs: Inputs) -> dict[str, Tensor]:
        """The arguments on the device; ready for what is computed there next."""
        ...

    def download(self, result: Tensor) -> Callable[[], Float32]:
        """Starts to fetch a result; what is returned waits for it."""
        ...


class HostLane:
    """The CPU's own memory: nothing is copied, and nothing runs beside the computing."""

    def __init__(self, ahead: int = 0) -> None:
        self.ahead = ahead

    def upload(self, inputs: Inputs) -> dict[str, Tensor]:
        """Views of the arrays."""
        return {name: _tensor(value) for name, value in inputs.items()}

    def download(self, result: Tensor) -> Callable[[], Float32]:
        """The result as it is."""
        return result.numpy


class CudaLane:
    """Pinned memory and a CUDA stream of its own for the copies, so that they run while the device computes.

    One batch is started ahead: while the device computes batch i, the CPU prepares batch i + 1, copies and launches
    it, and only then waits for the result of batch i. See "Overlap data transfers" in NVIDIA's CUDA C++ Best
    Practices Guide, and `Tensor.record_stream` for why the allocator must hear of both streams.
    """

    ahead = 1

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.copies = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]  # torch left it untyped

    def upload(self, inputs: Inputs) -> dict[str, Tensor]:
        """Copies that the computing stream waits for, and the CPU does not."""
        with torch.cuda.stream(self.copies):
            moved = {
                name: _tensor(value).pin_memory().to(self.device, non_blocking=True) for name, value in inputs.items()
            }
        computing = torch.cuda.current_stream(self.device)
        computing.wait_stream(self.copies)
        for tensor in moved.values():
            tensor.record_stream(computing)
        return moved

    def download(self, result: Tensor) -> Callable[[], Float32]:
        """Copies behind the computing; the wait is for this result alone."""
        host = result.to("cpu", non_blocking=True)
        done = torch.cuda.Event()  # type: ignore[no-untyped-call]  # torch left it untyped
        done.record(torch.cuda.current_stream(self.device))

        def wait() -> Float32:
            done.synchronize()
            arrived: Float32 = host.numpy()
            return arrived

        return wait


def lane_to(device: torch.device) -> Lane:
    """The lane that suits a device."""
    return CudaLane(device) if device.type == "cuda" else HostLane()


def _tensor(value: npt.NDArray[Any]) -> Tensor:
    # Views of Arrow's memory are read-only, which torch has no word for.
    return torch.from_numpy(value if value.flags.writeable else value.copy())
