"""Runs a pretrained torch model on numpy batches: device, precision, pooling, and errors of memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from models.arrow import Float32
from models.errors import ConfigError, MemoryExceeded
from models.pretrained import is_two_towered, read_json

CLASS_TOKENS = ("cls_token", "class_embedding")  # names of the parameter behind an image model's first token


class PretrainedModel:
    """A model that maps a batch to states of tokens, patches or frames, and these to one vector per row."""

    def __init__(self, model: nn.Module, modality: str, device: torch.device, *, two_towered: bool) -> None:
        self.model = model
        self.device = device
        self.dtype = next(model.parameters()).dtype
        self.forward = getattr(model, f"get_{modality}_features") if two_towered else model
        self.two_towered = two_towered

    @property
    def has_class_token(self) -> bool:
        """Whether the first state is a learned summary and not a patch."""
        return any(name.split(".")[-1] in CLASS_TOKENS for name, _ in self.model.named_parameters())

    @torch.inference_mode()
    def embed(self, inputs: Mapping[str, npt.NDArray[Any]], pooling: str, *, normalize: bool) -> Float32:
        """float32 `[B, D]` of a batch; a NaN or infinity in it is left for the caller to see.

        Args:
            inputs: the model's arguments; floating-point ones are cast to its precision. An `attention_mask` `[B, T]`
                tells values from padding.
            pooling: `cls`, `mean` or `last`; a model of two modalities pools and projects itself.
            normalize: scale each row to length 1.

        Raises:
            MemoryExceeded: the batch did not fit.
        """
        with memory_guard(self.device):
            moved = {name: self._to_device(value) for name, value in inputs.items()}
            output = self.forward(**moved, return_dict=True)
            if self.two_towered:
                pooled = output.pooler_output.float()  # [B, D]
            else:
                states = _as_tokens(output.last_hidden_state)  # [B, T, D]
                pooled = pool(states, self._state_mask(states, moved.get("attention_mask")), pooling)
            return (nn.functional.normalize(pooled, dim=-1) if normalize else pooled).cpu().numpy()

    def _to_device(self, value: npt.NDArray[Any]) -> Tensor:
        tensor = torch.from_numpy(value).to(self.device, non_blocking=True)
        return tensor.to(self.dtype) if tensor.is_floating_point() else tensor

    def _state_mask(self, states: Tensor, mask: Tensor | None) -> Tensor:
        """bool `[B, T]`: which states stand for input and not for padding."""
        everything = torch.ones(states.shape[:2], dtype=torch.bool, device=states.device)
        if mask is None or mask.shape[1] == states.shape[1]:
            return everything if mask is None else mask.bool()
        # Sound models shorten the sequence by convolutions, and know by how much.
        shortened = getattr(self.model, "_get_feat_extract_output_lengths", None)
        if shortened is None:
            return everything
        lengths: Tensor = shortened(mask.sum(dim=-1)).clamp(min=1)  # [B]
        return torch.arange(states.shape[1], device=states.device)[None, :] < lengths[:, None]


def load(folder: Path, modality: str, device: str, dtype: str) -> PretrainedModel:
    """The model of a folder that `models.pretrained.check_safe` accepted.

    Raises:
        ConfigError: the device does not exist, or the files cannot be loaded as a model.
        MemoryExceeded: the weights do not fit.
    """
    from transformers import AutoModel
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()  # workers write to log files
    place = resolve_device(device)
    two_towered = is_two_towered(read_json(folder, "config.json"))
    try:
        with memory_guard(place):
            model = AutoModel.from_pretrained(
                folder,
                dtype=resolve_dtype(dtype, place),
                trust_remote_code=False,
                use_safetensors=True,
                weights_only=True,
                local_files_only=True,
            ).to(place)
    except (OSError, ValueError, KeyError) as error:  # what transformers raises for folders that it cannot read
        raise ConfigError(f"weights in {folder} must be loadable as an AutoModel; got {error}") from error
    if model.config.is_encoder_decoder and not two_towered:
        model = model.get_encoder()
    return PretrainedModel(model.eval().requires_grad_(False), modality, place, two_towered=two_towered)


def pool(states: Tensor, mask: Tensor, how: str) -> Tensor:
    """One float32 vector `[B, D]` for states `[B, T, D]` of which those under mask `[B, T]` count.

    `cls` is the first of them, `last` the last, `mean` Σ mask·state / Σ mask, summed in float32. Padding is selected
    away, never multiplied, so that NaN in it changes nothing.
    """
    if how == "mean":
        counted = torch.where(mask[..., None], states.float(), 0.0)  # [B, T, D]
        return counted.sum(dim=1) / mask.sum(dim=1, keepdim=True).clamp(min=1)
    position = torch.arange(mask.shape[1], device=mask.device)
    outside = mask.shape[1] if how == "cls" else -1
    candidates = torch.where(mask, position, outside)
    chosen = candidates.amin(dim=1) if how == "cls" else candidates.amax(dim=1)
    chosen = chosen.clamp(0, mask.shape[1] - 1)
    return states[torch.arange(len(states), device=states.device), chosen].float()


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
    """`auto` is bfloat16 on a CUDA device that has it, else float32 (what CPUs compute reproducibly)."""
    if dtype != "auto":
        return {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}[dtype]
    return torch.bfloat16 if device.type == "cuda" and torch.cuda.is_bf16_supported() else torch.float32


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


def cut_by_cost(lengths: npt.NDArray[np.int64], budget: int) -> list[npt.NDArray[np.int64]]:
    """Row numbers of sub-batches of similar length, longest first, whose padded size stays within the budget.

    A row longer than the budget goes alone.
    """
    order = np.argsort(-lengths, kind="stable")
    batches, start = [], 0
    while start < len(order):
        rows = max(budget // max(int(lengths[order[start]]), 1), 1)
        batches.append(order[start : start + rows])
        start += rows
    return batches


def _as_tokens(states: Tensor) -> Tensor:
    """`[B, T, D]` as it is; feature maps `[B, D, H, W]` as H·W tokens."""
    return states if states.ndim == 3 else states.flatten(2).transpose(1, 2)
