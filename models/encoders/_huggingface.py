"""What the three Hugging Face kinds share: where the weights come from, how large the result is, what it hangs on."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, ValidationInfo, ValidatorFunctionWrapHandler, field_validator

from models.arrow import Float32
from models.encoders.base import EncoderSpec, Waste
from models.errors import ConfigError
from models.pretrained import Json, check_safe, embedding_size, file_hashes, filled_config, locate, read_json
from models.spec import JobPath

if TYPE_CHECKING:
    from models.inference import PretrainedModel


class HuggingFaceSpec(EncoderSpec):
    """Any AutoModel from a folder or from a pinned revision of the hub; safetensors only, remote code never."""

    unhashed: ClassVar[frozenset[str]] = frozenset({"weights", "revision"})
    """Where the weights lie; their content counts."""

    revision: str | None = None
    """Commit hash of the hub repository that `weights` names; without it `weights` is a folder."""
    weights: JobPath
    """Folder with config.json and model.safetensors, or the name of a hub repository."""
    dim: int | None = Field(None, ge=1)
    """Length of the embedding, where config.json does not say it or is not at hand when planning."""
    normalize: bool | None = None
    """Scale embeddings to length 1; by default as the folder's sentence-transformers files say."""
    truncate_dim: int | None = Field(None, ge=1)
    """Keep the first numbers of each embedding only, for models trained for it (Matryoshka)."""
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """Precision of the model; auto is bfloat16 on GPUs that have it and float32 elsewhere."""
    compile: bool = False
    """Run the model through torch.compile: slower to start, faster on GPUs; needs a C++ compiler."""
    device: str = "auto"
    """`auto` (a GPU where there is one), `cpu`, `cuda` or `cuda:<number>`."""

    @field_validator("revision")
    @classmethod
    def _is_pinned(cls, revision: str | None) -> str | None:
        if revision is not None and not re.fullmatch(r"[0-9a-f]{40}", revision):
            raise ValueError("revision must be a commit hash of 40 hex digits, because branches and tags move")
        return revision

    @field_validator("weights", mode="wrap")
    @classmethod
    def _folder_or_hub_name(cls, value: object, as_path: ValidatorFunctionWrapHandler, info: ValidationInfo) -> str:
        # With a revision it names a repository of the hub, and is no path that starts at the job file's folder.
        return value if info.data.get("revision") and isinstance(value, str) else str(as_path(value))

    @property
    def output_dim(self) -> int:
        """Length of the embedding, from `dim` or from config.json, and not more than `truncate_dim`.

        Raises:
            ConfigError: neither says it, or it is less than `truncate_dim`.
        """
        size = self.dim or embedding_size(self.config(), self.modality)
        # Released configurations leave out what is the default of their type (SigLIP: nearly everything).
        size = size or embedding_size(filled_config(self.folder()), self.modality)
        if size is None:
            raise ConfigError(f"dim must be given for {self.weights}, because its config.json does not say the size")
        if self.truncate_dim is None:
            return size
        if self.truncate_dim > size:
            raise ConfigError(f"truncate_dim must be at most the model's own length {size}; got {self.truncate_dim}")
        return self.truncate_dim

    def folder(self, *, download: bool = False) -> Path:
        """Where the files lie; see `models.pretrained.locate`."""
        return locate(self.weights, self.revision, download=download)

    def config(self) -> Json:
        """The model's config.json."""
        return read_json(self.folder(), "config.json")

    def content(self) -> Mapping[str, str]:
        """sha256 of every file of a folder; for a hub repository the revision, which is a hash of all."""
        if self.revision is not None:
            return {self.weights: self.revision}
        return file_hashes(self.folder())

    def check(self) -> None:
        """See `EncoderSpec.check`; a hub repository that was not fetched yet is checked when it is."""
        if self.revision is None:
            check_safe(self.folder())

    def safe_folder(self) -> Path:
        """The folder, fetched if need be and checked.

        Raises:
            ConfigError: it is missing, or loading it could run code.
        """
        folder = self.folder(download=True)
        check_safe(folder)
        return folder

    def load_model(self, folder: Path, *, layer: int = -1) -> PretrainedModel:
        """The model of a folder from `safe_folder`, as these settings want it.

        Raises:
            ConfigError: it cannot be loaded, or has no such layer.
        """
        from models.inference import load

        return load(
            folder,
            self.modality,
            self.device,
            self.dtype,
            layer=layer,
            truncate_dim=self.truncate_dim,
            compiled=self.compile,
        )


class WasteMeter:
    """Counts padding; an encoder's batches may run in several threads of a process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waste = Waste()

    def add(self, rows: int, longest: int, real: int) -> None:
        """A batch of so many rows, filled up to the longest of them."""
        with self._lock:
            self._waste += Waste(rows * longest, real)

    def total(self) -> Waste:
        """The sum of all batches."""
        with self._lock:
            return self._waste


def rows_at_once(asked: int | Literal["auto"], device: str) -> int:
    """Rows of one sub-batch; `auto` is 16 on CPUs, and on GPUs 256, which the bounds on tokens and seconds cut down.

    MiniLM on one thread over texts of 5 to 250 words, in shares of the best speed: 0.60 at 1 row, 1.00 at 8 and at 16,
    0.92 at 32, 0.72 at 64, 0.49 at 256, where activations no longer fit the caches.
    """
    if asked == "auto":
        return 16 if device == "cpu" else 256
    return asked


def check_width(embedding: Float32, dim: int, weights: str) -> None:
    """Refuse a model whose embeddings are not as long as was planned."""
    if embedding.shape[1] != dim:
        raise ConfigError(f"dim must be the model's own; got {dim} for {weights}, which gives {embedding.shape[1]}")
