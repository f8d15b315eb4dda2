"""Images: formats allow-listed, limits checked before decoding; any picture to a small upright RGB square."""

from __future__ import annotations

import warnings
from typing import ClassVar, Literal, Self

import numpy as np
import pyarrow as pa
from pydantic import Field, model_validator

from models.arrow import from_numpy
from transforms.modalities._pixels import decode
from transforms.modalities._resizing import Fit, Geometry, Resample
from transforms.modalities.base import Cleaned, Cleaner, IssueLog, ModalitySpec
from transforms.modalities.external import (
    EXTERNAL_CODES,
    AllowedRoots,
    Refused,
    Resolver,
    check_external,
    gather_external,
)

ImageFormat = Literal["jpeg", "png", "webp", "gif", "bmp", "tiff"]


class ImageSpec(ModalitySpec):
    """A photo or drawing, as bytes, `{bytes, path}` or a path; cleaned to RGB squares.

    The first frame of an animation stands for it; transparency is laid on white; colour profiles are not
    applied. Issue codes: `empty`, `too_large`, `format_refused`, `decode_failed`; for values given by path also
    `path_not_allowed`, `not_found`, `not_readable`.
    """

    kind = "image"
    default_encoder = "image_histograms"
    codes = (*EXTERNAL_CODES, "format_refused", "decode_failed")
    unhashed: ClassVar[frozenset[str]] = frozenset({"allowed_roots"})
    cleaning_seconds: ClassVar[float] = 2.5e-3

    column: str
    """The input column."""
    size: int = Field(default=64, ge=1, le=2048)
    """Side of the square in pixels; an encoder may ask for another."""
    fit: Fit = "crop"
    """How an oblong picture becomes a square: `crop` its centre, `pad` it with white, or `stretch` it."""
    edge: int | None = Field(default=None, ge=1, le=4096)
    """What the shorter side (`crop`) or both (`stretch`) are scaled to before the centre is kept; null: `size`."""
    resample: Resample = "bicubic"
    """The filter that scales: `bilinear`, `bicubic` or `lanczos`."""
    exact: bool = False
    """Bit by bit the pixels of transformers' own image processors (without torchvision). Without it, scaling uses the
    CPU's vector instructions (1 value in 200 is one level off), large JPEGs are shrunk while they are decoded, and what
    has more than 4 million pixels then is averaged over blocks first."""
    shrink_to: int = Field(default=2, ge=1, le=16)
    """A JPEG is decoded at 1/2, 1/4 or 1/8 as long as its shorter side keeps so many times `edge`."""
    max_pixels: int = Field(default=40_000_000, ge=1, le=178_956_970)
    """Most pixels of a picture, read from its header. 40 Mpx is above what phones and most cameras store and
    costs 0.3 GB while an RGBA picture is decoded; Pillow itself refuses more than 178,956,970."""
    max_bytes: int = Field(default=64 * 1024**2, ge=1)
    """Most bytes of a file. 64 MiB is more than twice a 40 Mpx JPEG of the best quality."""
    formats: tuple[ImageFormat, ...] = Field(default=("jpeg", "png", "webp", "gif", "bmp", "tiff"), min_length=1)
    """Formats that may be decoded; the content decides, not the name."""
    allowed_roots: AllowedRoots = ()
    """Folders or URIs under which pictures may be read by path; without any, paths are refused."""

    @model_validator(mode="after")
    def _edge_holds_the_square(self) -> Self:
        if self.edge is not None and (self.edge < self.size or self.fit == "pad"):
            wanted = (
                "null, because `pad` scales the longer side" if self.fit == "pad" else f"at least size, {self.size}"
            )
            raise ValueError(f"edge must be {wanted}; got {self.edge}")
        return self

    @property
    def geometry(self) -> Geometry:
        """How a picture becomes a square."""
        return Geometry(self.size, self.edge or self.size, self.fit, self.resample, self.exact, self.shrink_to)

    def input_columns(self) -> tuple[str, ...]:
        """The one column."""
        return (self.column,)

    def check_types(self, schema: pa.Schema) -> list[str]:
        """Whether the column holds bytes, `{bytes, path}` structs or paths."""
        return check_external(schema, self.column)

    def gather(self, batch: pa.RecordBatch) -> pa.Array:
        """The column as it is; nothing is read yet."""
        return gather_external(batch, self.column)

    def cleaned_type(self) -> pa.DataType:
        """fixed_size_list<uint8>[size·size·3]: RGB, row-major height, width, channel."""
        return pa.list_(pa.uint8(), self.size * self.size * 3)

    def build(self) -> Cleaner:
        """The cleaner; from now on Pillow's warnings are ignored in this process."""
        # Once, and for good: `catch_warnings` around each picture would not be safe with threads. What Pillow
        # warns of is either refused by our own limits or counted as an issue.
        warnings.filterwarnings("ignore", module=r"PIL\.")
        return ImageCleaner(self)


class ImageCleaner:
    """Decodes images into one array; safe to call from several threads."""

    def __init__(self, spec: ImageSpec) -> None:
        self.spec = spec
        self.geometry = spec.geometry
        self.resolve = Resolver(spec.allowed_roots, spec.max_bytes)

    def __call__(self, values: pa.Array) -> Cleaned:
        """RGB squares of n values; null where there is none."""
        log = IssueLog(len(values))
        size = self.spec.size
        pixels = np.zeros((len(values), size, size, 3), dtype=np.uint8)
        valid = np.zeros(len(values), dtype=np.bool_)
        for row, content in enumerate(self.resolve(values, log)):
            if content is None:
                continue
            try:
                pixels[row] = decode(content, self.spec.formats, self.spec.max_pixels, self.geometry)
                valid[row] = True
            except Refused as refused:
                log.add(refused.code, row)
        return Cleaned(from_numpy(pixels.reshape(len(values), size * size * 3), valid), log.to_arrow())
