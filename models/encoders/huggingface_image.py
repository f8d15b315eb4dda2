"""Pictures through any pretrained vision model: scaled as its files say, states of patches, one pooled vector."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

import numpy as np
import pyarrow as pa
from pydantic import Field

from models.arrow import Float32, to_numpy
from models.encoders._huggingface import HuggingFaceSpec, check_width
from models.errors import ConfigError
from models.pretrained import Json, read_json

if TYPE_CHECKING:
    from models.inference import PretrainedModel

HALVES = (0.5, 0.5, 0.5)  # mean and deviation where a folder says neither: [0, 1] becomes [-1, 1]


class Preprocessing(NamedTuple):
    """What a model wants to be done to pixels."""

    size: int  # side of the square picture
    scale: float  # 0…255 becomes 0…1
    mean: tuple[float, ...]
    std: tuple[float, ...]


class HuggingFaceImageEncoder:
    """Scales pixels, runs sub-batches, pools."""

    def __init__(self, model: PretrainedModel, spec: HuggingFaceImageSpec) -> None:
        self.model, self.spec = model, spec
        self.dim = spec.output_dim
        self.preprocessing = spec.preprocessing
        auto = "cls" if model.has_class_token else "mean"
        self.pooling = auto if spec.pooling == "auto" else spec.pooling

    def __call__(self, values: pa.Array) -> Float32:
        """float32 `[n, dim]` of n pictures; rows that the model made non-finite are left so."""
        size = self.preprocessing.size
        pixels = to_numpy(values).reshape(-1, size, size, 3)
        out = np.empty((len(pixels), self.dim), dtype=np.float32)
        for start in range(0, len(pixels), self.spec.max_batch):
            inputs = {"pixel_values": self.scaled(pixels[start : start + self.spec.max_batch])}
            pooled = self.model.embed(inputs, self.pooling, normalize=bool(self.spec.normalize))
            check_width(pooled, self.dim, self.spec.weights)
            out[start : start + len(pooled)] = pooled
        return out

    def scaled(self, pixels: np.ndarray[Any, Any]) -> Float32:
        """`[n, 3, s, s]` = (pixel·scale - mean) / std."""
        wanted = self.preprocessing
        mean, std = (np.array(numbers, dtype=np.float32) for numbers in (wanted.mean, wanted.std))
        scaled = (pixels.astype(np.float32) * np.float32(wanted.scale) - mean) / std
        return np.ascontiguousarray(scaled.transpose(0, 3, 1, 2))


class HuggingFaceImageSpec(HuggingFaceSpec):
    """Any AutoModel for images from a folder or a pinned hub revision (ViT, DINOv2, CLIP, ConvNeXt …)."""

    kind: ClassVar[str] = "huggingface_image"
    modality: ClassVar[str] = "image"
    unhashed: ClassVar[frozenset[str]] = HuggingFaceSpec.unhashed | {"max_batch"}

    pooling: Literal["auto", "cls", "mean"] = "auto"
    """auto: the class token where the model has one, else the mean of all patches."""
    max_batch: int = Field(64, ge=1)
    """Pictures that run at once."""

    @property
    def preprocessing(self) -> Preprocessing:
        """Size and scaling from preprocessor_config.json."""
        return read_preprocessing(self.folder(), self.config())

    def requires(self) -> Mapping[str, object]:
        """The pictures' side."""
        return {"size": self.preprocessing.size}

    def build(self) -> HuggingFaceImageEncoder:
        """The encoder, with its weights loaded.

        Raises:
            ConfigError: the weights are missing or unsafe.
        """
        from models.inference import load

        return HuggingFaceImageEncoder(load(self.safe_folder(), self.modality, self.device, self.dtype), self)


def read_preprocessing(folder: Path, config: Json) -> Preprocessing:
    """The image processor's settings; where a folder has none, `image_size` of its config.json.

    Raises:
        ConfigError: the size is not said, or not square.
    """
    stored = read_json(folder, "preprocessor_config.json")
    stored = stored or read_json(folder, "processor_config.json").get("image_processor", {})
    cropped = stored.get("crop_size") if stored.get("do_center_crop") else None
    size = _side(cropped) or _side(stored.get("size")) or _side(config.get("vision_config", config).get("image_size"))
    if size is None:
        raise ConfigError(
            f"weights must say the size of a square picture in preprocessor_config.json; {folder} does not"
        )
    scaled = stored.get("do_normalize", True)
    return Preprocessing(
        size=size,
        scale=stored.get("rescale_factor", 1 / 255) if stored.get("do_rescale", True) else 1.0,
        mean=tuple(stored.get("image_mean") or HALVES) if scaled else (0.0, 0.0, 0.0),
        std=tuple(stored.get("image_std") or HALVES) if scaled else (1.0, 1.0, 1.0),
    )


def _side(size: object) -> int | None:
    if isinstance(size, int):
        return size
    if not isinstance(size, Mapping):
        return None
    sides = {size[key] for key in ("height", "width", "shortest_edge") if size.get(key)}
    return int(sides.pop()) if len(sides) == 1 else None
