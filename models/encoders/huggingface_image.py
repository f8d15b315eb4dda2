"""Pictures through any pretrained vision model: scaled as its files say, states of patches, one pooled vector."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import numpy as np
import pyarrow as pa
from pydantic import Field

from models.arrow import Float32, to_numpy
from models.encoders._huggingface import HuggingFaceSpec, check_width, rows_at_once
from models.preprocessing import read_geometry, read_scaling, read_size

if TYPE_CHECKING:
    from models.inference import PretrainedModel


class HuggingFaceImageEncoder:
    """Runs pixels in sub-batches through a model that scales them first, and pools."""

    def __init__(self, model: PretrainedModel, spec: HuggingFaceImageSpec) -> None:
        self.model, self.spec = model, spec
        self.dim = spec.output_dim
        self.size = spec.size
        self.rows = rows_at_once(spec.max_batch, model.device.type)
        auto = "cls" if model.has_class_token else "mean"
        self.pooling = auto if spec.pooling == "auto" else spec.pooling

    def __call__(self, values: pa.Array) -> Float32:
        """float32 `[n, dim]` of n pictures; rows that the model made non-finite are left so."""
        pixels = to_numpy(values).reshape(-1, self.size, self.size, 3)
        out = np.empty((len(pixels), self.dim), dtype=np.float32)
        starts = range(0, len(pixels), self.rows)
        batches = ({"pixel_values": pixels[start : start + self.rows]} for start in starts)
        pooled = self.model.embed_each(batches, self.pooling, normalize=bool(self.spec.normalize))
        for start, rows in zip(starts, pooled, strict=True):
            check_width(rows, self.dim, self.spec.weights)
            out[start : start + len(rows)] = rows
        return out


class HuggingFaceImageSpec(HuggingFaceSpec):
    """Any AutoModel for images from a folder or a pinned hub revision (ViT, DINOv2, CLIP, ConvNeXt …)."""

    kind: ClassVar[str] = "huggingface_image"
    modality: ClassVar[str] = "image"
    unhashed: ClassVar[frozenset[str]] = HuggingFaceSpec.unhashed | {"max_batch"}

    pooling: Literal["auto", "cls", "mean"] = "auto"
    """auto: the class token where the model has one, else the mean of all patches."""
    geometry: Literal["processor", "cleaner"] = "processor"
    """Who decides how a picture becomes a square: the folder's image processor, or the modality's own settings
    (`fit`, `edge`, `resample`)."""
    max_batch: Annotated[int, Field(ge=1)] | Literal["auto"] = "auto"
    """Pictures that run at once; auto is 16 on CPUs and 256 on GPUs."""

    @property
    def size(self) -> int:
        """Side of the pictures."""
        return read_size(self.folder(), self.config())

    def requires(self) -> Mapping[str, object]:
        """The pictures' side, and with `geometry: processor` how they become squares."""
        if self.geometry == "cleaner":
            return {"size": self.size}
        return read_geometry(self.folder(), self.config())._asdict()

    def build(self) -> HuggingFaceImageEncoder:
        """The encoder, with its weights loaded.

        Raises:
            ConfigError: the weights are missing or unsafe.
        """
        from models.scaling import ScalingFirst

        folder = self.safe_folder()
        model = self.load_model(folder)
        scaling = read_scaling(folder, self.config())
        model.forward = ScalingFirst(model.forward, scaling, model.device, model.dtype)
        return HuggingFaceImageEncoder(model, self)
