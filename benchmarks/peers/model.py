"""The model as its users load it: sentence-transformers for texts, transformers' own image processor for pictures."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.peers.task import Task

Embed = Callable[[Sequence[Any]], npt.NDArray[np.float32]]
"""Values of a window -> float32 `[n, dim]`."""


def load(task: Task) -> Embed:
    """The model of a task, with its threads."""
    import torch

    torch.set_num_threads(task.threads)
    return _texts(task) if task.modality == "text" else _pictures(task)


def dim(task: Task) -> int:
    """Length of an embedding, from the configuration alone."""
    from transformers import AutoConfig

    return int(AutoConfig.from_pretrained(task.weights).hidden_size)


def _texts(task: Task) -> Embed:
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(task.weights), device="cpu")

    def embed(texts: Sequence[str]) -> npt.NDArray[np.float32]:
        # It sorts what it is given by length itself.
        found: npt.NDArray[np.float32] = model.encode(list(texts), batch_size=task.batch, show_progress_bar=False)
        return found

    return embed


def _pictures(task: Task) -> Embed:
    import torch
    from PIL import Image
    from transformers import AutoImageProcessor, AutoModel

    processor = AutoImageProcessor.from_pretrained(task.weights)
    model = AutoModel.from_pretrained(task.weights).eval()

    @torch.inference_mode()
    def embed(pictures: Sequence[bytes]) -> npt.NDArray[np.float32]:
        found = []
        for start in range(0, len(pictures), task.batch):
            images = [Image.open(io.BytesIO(value)).convert("RGB") for value in pictures[start : start + task.batch]]
            states = model(**processor(images, return_tensors="pt")).last_hidden_state  # [B, T, D]
            found.append(states[:, 0].numpy())
        return np.concatenate(found)

    return embed
