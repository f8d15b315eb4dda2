"""What a killed training left behind, so that it goes on as if nothing had been: one file per stage, never half."""

from __future__ import annotations

import json
import logging
import os
import shutil
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from models.errors import OutputError

_LOG = logging.getLogger(__name__)
_FACTS: Final = "facts"  # key of safetensors' metadata that holds everything that is no tensor, as JSON


class Saved(NamedTuple):
    """What a stage had reached."""

    tensors: dict[str, Tensor]
    facts: dict[str, Any]


@dataclass(frozen=True)
class Checkpoints:
    """A folder of stages, for one set of settings and data; without a folder nothing is kept."""

    folder: Path | None = None
    writes: bool = True
    """False for all but one of the processes that train together."""

    @classmethod
    def open(cls, folder: Path | None, key: str, *, writes: bool = True) -> Checkpoints:
        """Those of this key; what other settings or other data left in the folder is removed.

        Args:
            folder: of one head; none: nothing is kept.
            key: hash of all that decides the result.
            writes: see `Checkpoints.writes`.
        """
        if folder is None:
            return cls()
        own = folder / key[:32]
        if writes and folder.is_dir():
            for other in folder.iterdir():
                if other != own and other.is_dir():
                    shutil.rmtree(other)
        return cls(own, writes)

    def load(self, stage: str) -> Saved | None:
        """What this stage had reached; none where it has not begun, or its file is damaged: then it begins again."""
        if self.folder is None or not (path := self.folder / f"{stage}.safetensors").exists():
            return None
        try:
            with safe_open(path, "pt") as file:
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # it is no mapping
                return Saved(tensors, json.loads((file.metadata() or {})[_FACTS]))
        except (SafetensorError, KeyError, ValueError) as error:
            _LOG.warning("%s must be a checkpoint; got %s; the stage begins again", path, error)
            return None

    def save(self, stage: str, tensors: Mapping[str, Tensor], facts: Mapping[str, object]) -> None:
        """Put the stage's file in place of an older one; whoever is killed here leaves the old or the new one.

        Raises:
            OutputError: the folder cannot be written.
        """
        if self.folder is None or not self.writes:
            return
        own = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in tensors.items()}
        content = save(own, {_FACTS: json.dumps(facts, allow_nan=False)})
        try:
            _replace(self.folder / f"{stage}.safetensors", content)
        except OSError as error:
            raise OutputError(
                f"checkpoints must be writable at {self.folder}; got {error.strerror or error}"
            ) from error


def under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Those whose names begin with `<prefix>/`, without it."""
    start = f"{prefix}/"
    return {name.removeprefix(start): tensor for name, tensor in tensors.items() if name.startswith(start)}


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """An optimizer's moments as `<parameter's number>/<name>`."""
    state = optimizer.state_dict()["state"]
    return {f"{number}/{name}": tensor for number, own in state.items() for name, tensor in own.items()}


def load_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Give the moments back."""
    state: dict[int, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        number, _, name = key.partition("/")
        state.setdefault(int(number), {})[name] = tensor
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def _replace(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    try:
        with fresh.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)
