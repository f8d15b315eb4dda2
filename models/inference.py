"""Runs a pretrained torch model on numpy batches: its states, one vector per row, the next batch prepared meanwhile."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from models.arrow import Float32
from models.devices import memory_guard, resolve_device, resolve_dtype
from models.errors import ConfigError
from models.lanes import Inputs, Lane, lane_to
from models.pooling import as_tokens, pool, shortened
from models.pretrained import Json, is_two_towered, read_json

CLASS_TOKENS = ("cls_token", "class_embedding")  # names of the parameter behind an image model's first token
TOWER = re.compile(r"(.*clip.*|siglip\d?)_(text|vision)_model")  # a model type: half of a model of two modalities
TOWERS = {"text": "text_model", "image": "vision_model", "audio": "audio_model"}
ENCODERS_APART = {"t5", "mt5", "umt5"}  # transformers has their encoder by itself, so that no decoder is made
UNUSED = re.compile(r"(^|\.)(pooler|decoder|lm_head|masked_spec_embed)(\.|$)")
"""Names of weights that no embedding comes from: a head on top, the other half, what masks frames in training."""


class PretrainedModel:
    """A model that maps a batch to states of tokens, patches or frames, and these to one vector per row.

    Args:
        model: the network, on its device.
        modality: which of its towers is used, where it has two.
        device: where it is.
        two_towered: whether it embeds two modalities into one space.
        layer: which hidden state is pooled, counted as in transformers' `hidden_states`; -1 is the last.
        truncate_dim: how many numbers of each vector are kept; None for all.
        lane: how batches reach the device; None for what suits it.
    """

    def __init__(
        self,
        model: nn.Module,
        modality: str,
        device: torch.device,
        *,
        two_towered: bool,
        layer: int = -1,
        truncate_dim: int | None = None,
        lane: Lane | None = None,
    ) -> None:
        self.model = model
        self.device = device
        self.dtype = next(model.parameters()).dtype
        self.forward: Callable[..., Any] = getattr(model, f"get_{modality}_features") if two_towered else model
        self.pools_itself = two_towered or bool(TOWER.fullmatch(self.config.model_type))
        self.layer = self._checked(layer)
        self.truncate_dim = truncate_dim
        self.lane = lane or lane_to(device)

    @property
    def config(self) -> Any:
        """The model's configuration, with every default filled in."""
        return self.model.config

    @property
    def has_class_token(self) -> bool:
        """Whether the first state is a learned summary and not a patch."""
        return any(name.split(".")[-1] in CLASS_TOKENS for name, _ in self.model.named_parameters())

    def embed(self, inputs: Inputs, pooling: str, *, normalize: bool) -> Float32:
        """float32 `[B, D]` of one batch; see `embed_each`."""
        return next(self.embed_each([inputs], pooling, normalize=normalize))

    def embed_each(self, batches: Iterable[Inputs], pooling: str, *, normalize: bool) -> Iterator[Float32]:
        """float32 `[B, D]` of every batch, in order; a NaN or infinity in it is left for the caller to see.

        A batch is taken from `batches` while a GPU still computes the one before.

        Args:
            batches: the model's arguments; floating-point ones are cast to its precision. An `attention_mask` `[B, T]`
                tells values from padding.
            pooling: `cls`, `mean` or `last`; a model of two modalities, or half of one, pools itself.
            normalize: scale each row to length 1.

        Raises:
            MemoryExceeded: a batch did not fit.
        """
        started: deque[Callable[[], Float32]] = deque()
        for inputs in batches:
            with memory_guard(self.device):
                started.append(self._start(inputs, pooling, normalize))
            if len(started) > self.lane.ahead:
                yield started.popleft()()
        while started:
            yield started.popleft()()

    @torch.inference_mode()
    def _start(self, inputs: Inputs, pooling: str, normalize: bool) -> Callable[[], Float32]:
        moved = self.lane.upload(inputs)
        moved = {name: value.to(self.dtype) if value.is_floating_point() else value for name, value in moved.items()}
        vectors = self._pooled(moved, pooling)  # [B, D]
        return self.lane.download(shortened(vectors, self.truncate_dim, normalize=normalize))

    def _pooled(self, inputs: dict[str, Tensor], pooling: str) -> Tensor:
        if self.pools_itself:
            own: Tensor = self.forward(**inputs, return_dict=True).pooler_output  # [B, D]
            return own.float()
        if self.layer == -1:
            states = as_tokens(self.forward(**inputs, return_dict=True).last_hidden_state)  # [B, T, D]
        else:
            output = self.forward(**inputs, return_dict=True, output_hidden_states=True)
            states = as_tokens(output.hidden_states[self.layer])  # [B, T, D]
        return pool(states, self._state_mask(states, inputs.get("attention_mask")), pooling)

    def _state_mask(self, states: Tensor, mask: Tensor | None) -> Tensor:
        """bool `[B, T]`: which states stand for input and not for padding."""
        everything = torch.ones(states.shape[:2], dtype=torch.bool, device=states.device)
        if mask is None or mask.shape[1] == states.shape[1]:
            return everything if mask is None else mask.bool()
        # Sound models shorten the sequence by convolutions, and know by how much.
        shortened_to = getattr(self.model, "_get_feat_extract_output_lengths", None)
        if shortened_to is None:
            return everything
        lengths: Tensor = shortened_to(mask.sum(dim=-1)).clamp(min=1)  # [B]
        return torch.arange(states.shape[1], device=states.device)[None, :] < lengths[:, None]

    def _checked(self, layer: int) -> int:
        """The layer, if this model has it.

        Raises:
            ConfigError: it has fewer layers, or pools its last one itself.
        """
        if layer != -1 and self.pools_itself:
            raise ConfigError(f"layer must be -1 for a model that pools itself ({self.config.model_type}); got {layer}")
        layers = getattr(self.config, "num_hidden_layers", None)
        if layers is not None and not -layers - 1 <= layer <= layers:
            raise ConfigError(f"layer must be between {-layers - 1} and {layers} for this model; got {layer}")
        return layer


def load(
    folder: Path,
    modality: str,
    device: str,
    dtype: str,
    *,
    layer: int = -1,
    truncate_dim: int | None = None,
    compiled: bool = False,
) -> PretrainedModel:
    """The model of a folder that `models.pretrained.check_safe` accepted.

    Args:
        folder: where config.json and the weights lie.
        modality: `text`, `image` or `audio`.
        device: see `resolve_device`.
        dtype: see `resolve_dtype`.
        layer: see `PretrainedModel`.
        truncate_dim: see `PretrainedModel`.
        compiled: run it through `torch.compile`, with shapes that may vary.

    Raises:
        ConfigError: the device does not exist, or the files cannot be loaded as a model, or hold not all its weights.
        MemoryExceeded: the weights do not fit.
    """
    place = resolve_device(device)
    stored = read_json(folder, "config.json")
    with memory_guard(place):
        model = _network(folder, stored, resolve_dtype(dtype, place)).to(place)
    two_towered = is_two_towered(stored)
    if model.config.is_encoder_decoder and not two_towered:
        model = model.get_encoder()
    if compiled:  # in place, so that names stay; of two towers only the one that runs
        tower = getattr(model, TOWERS[modality]) if two_towered else model
        tower.compile(dynamic=True)
    model = model.eval().requires_grad_(False)
    return PretrainedModel(model, modality, place, two_towered=two_towered, layer=layer, truncate_dim=truncate_dim)


def _network(folder: Path, stored: Json, dtype: torch.dtype) -> Any:
    from transformers import AutoModel, AutoModelForTextEncoding
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()  # workers write to log files
    family = AutoModelForTextEncoding if stored.get("model_type") in ENCODERS_APART else AutoModel
    try:
        model, found = family.from_pretrained(
            folder,
            dtype=dtype,
            trust_remote_code=False,
            use_safetensors=True,
            weights_only=True,
            local_files_only=True,
            output_loading_info=True,
        )
    except (OSError, ValueError, KeyError) as error:  # what transformers raises for folders that it cannot read
        raise ConfigError(f"weights in {folder} must be loadable as an AutoModel; got {error}") from error
    # transformers fills a gap with random numbers, and the embeddings would look like any others.
    if missing := sorted(name for name in found["missing_keys"] if not UNUSED.search(name)):
        raise ConfigError(
            f"weights in {folder} must hold every number that {type(model).__name__} uses; got none for "
            f"{', '.join(missing[:3])}{' …' if len(missing) > 3 else ''}. Save the whole model with save_pretrained"
        )
    return model
