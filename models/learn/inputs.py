"""Rows of logged decisions as a network sees them: through a fusion that is tuned, or fused once and for all."""

from __future__ import annotations

import tempfile
from abc import ABC, abstractmethod
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from models.arrow import Float32
from models.fusion.base import Fusion
from models.learn.decisions import Decisions
from models.learn.losses import thinned
from models.learn.network import EVALUATION_ROWS


class Branch(nn.Module):
    """A small network on fused vectors, with the fusion if that is trained too."""

    def __init__(self, fusion: Fusion | None, net: nn.Module) -> None:
        super().__init__()
        self.fusion = fusion
        self.net = net


class Inputs(ABC):
    """The rows of a log; memory does not grow with it where its embeddings lie in a file."""

    lots: int = 0
    """How many random numbers a row of a training batch takes."""

    def __init__(self, rows: int, device: torch.device) -> None:
        self.rows = rows
        self.device = device

    @abstractmethod
    def fused(self, branch: Branch, rows: Tensor, lots: Tensor | None = None) -> Tensor:
        """`[B, F]` of these rows (numbers on the CPU); `lots` `[B, self.lots]`: thinned by modality dropout."""

    def __call__(self, branch: Branch, rows: Tensor, lots: Tensor | None = None) -> Tensor:
        """`[B, A]` the branch's outputs."""
        outputs: Tensor = branch.net(self.fused(branch, rows, lots))
        return outputs

    @torch.no_grad()
    def outputs(self, branch: Branch) -> Float32:
        """`[N, A]` of all rows, in evaluation mode."""
        was_training = branch.training
        branch.eval()
        found = torch.cat([self(branch, rows) for rows in blocks(self.rows)])
        branch.train(was_training)
        return found.cpu().numpy()


class Embedded(Inputs):
    """Embeddings, through the branch's fusion."""

    def __init__(self, decisions: Decisions, device: torch.device, modality_dropout: float = 0.0) -> None:
        super().__init__(len(decisions), device)
        self._x, self._mask = decisions.x, torch.from_numpy(decisions.mask)
        self._dropout = modality_dropout
        self.lots = 1 + decisions.mask.shape[1] if modality_dropout else 0

    def fused(self, branch: Branch, rows: Tensor, lots: Tensor | None = None) -> Tensor:
        """See `Inputs.fused`."""
        assert branch.fusion is not None
        x, mask = torch.from_numpy(np.take(self._x, rows.numpy(), axis=0)), self._mask[rows]  # [B, M, D], [B, M]
        if lots is not None and self.lots:
            mask = thinned(mask, self._dropout, lots[:, :1], lots[:, 1:])
        z: Tensor = branch.fusion(x.to(self.device), mask.to(self.device)).z
        return z


class Fused(Inputs):
    """Fused vectors, made once by a fusion that stays as it is."""

    @torch.no_grad()
    def __init__(self, decisions: Decisions, fusion: Fusion, device: torch.device) -> None:
        super().__init__(len(decisions), device)
        embedded, branch = Embedded(decisions, device), Branch(fusion.eval(), nn.Identity())
        z = np.zeros((0, 0), np.float32)
        for rows in blocks(self.rows):
            fused = embedded.fused(branch, rows).cpu().numpy()
            if not len(z):
                z = _space(decisions, (self.rows, fused.shape[1]))
            z[rows.numpy()] = fused
        self._z = z

    def fused(self, branch: Branch, rows: Tensor, lots: Tensor | None = None) -> Tensor:
        """See `Inputs.fused`; nothing is thinned."""
        return torch.from_numpy(np.take(self._z, rows.numpy(), axis=0)).to(self.device)


def blocks(rows: int) -> list[Tensor]:
    """The numbers of all rows in pieces that fit into memory; one piece at least."""
    return list(torch.split(torch.arange(rows), EVALUATION_ROWS))


def _space(decisions: Decisions, shape: tuple[int, int]) -> Float32:
    """An array in memory or, where embeddings lie in a file, in one that vanishes with it."""
    if not isinstance(decisions.x, np.memmap):
        return np.zeros(shape, np.float32)
    with tempfile.NamedTemporaryFile(dir=Path(str(decisions.x.filename)).parent, prefix="fused-") as file:
        return np.memmap(file.name, np.float32, "w+", shape=shape)
