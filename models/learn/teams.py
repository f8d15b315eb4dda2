"""Processes that train one network together: each takes its part of every batch, and gradients are averaged."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, distributed

from models.errors import InternalError


class Distributed:
    """The processes of torch's default process group (gloo on CPUs), in which this one must be."""

    def __init__(self) -> None:
        self.rank = distributed.get_rank()
        self.size = distributed.get_world_size()

    def average(self, gradients: Sequence[Tensor]) -> None:
        """See `Team.average`; one message for all of them."""
        flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
        distributed.all_reduce(flat)
        flat /= self.size
        parts = torch.split(flat, [gradient.numel() for gradient in gradients])
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view_as(gradient))


class Finished:
    """A team that is done: from its checkpoints its result is put together, and nothing is left to train."""

    rank = 0

    def __init__(self, size: int) -> None:
        self.size = size

    def average(self, gradients: Sequence[Tensor]) -> None:
        """See `Team.average`.

        Raises:
            InternalError: always.
        """
        raise InternalError("checkpoints of the team must be finished; got a stage that is not")
