"""What a folder's image processor does to a picture, read from its JSON file alone, as transformers would read it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple

from models.errors import ConfigError
from models.pretrained import Json, read_json

Fit = Literal["crop", "stretch"]
Triple = tuple[float, float, float]

HALVES: Triple = (0.5, 0.5, 0.5)  # mean and deviation where a folder says neither: [0, 1] becomes [-1, 1]
IMAGENET: tuple[Triple, Triple] = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
OPENAI: tuple[Triple, Triple] = (
    (0.48145466, 0.4578275, 0.40821073),
    (0.26862954, 0.26130258, 0.27577711),
)
SHRINK_TO = 4
"""Times the edge that remains of a JPEG shrunk while it is decoded: with 2, pixels are 1 to 2 levels off on average,
with 4 half a level (docs/performance.md)."""
RESAMPLE = {1: "lanczos", 2: "bilinear", 3: "bicubic"}
"""Pillow's number of a filter, as it stands in the files -> our name."""
CROP_PCT = 224 / 256  # what ConvNext's processor keeps of a side
WARPED_FROM = 384  # ConvNext's processor stretches to squares of this size and more, and crops to smaller ones


class Geometry(NamedTuple):
    """How a picture becomes a square."""

    size: int  # side of the square
    edge: int  # what the shorter side (crop) or both sides (stretch) are scaled to, before the centre is kept
    fit: Fit
    resample: str
    shrink_to: int = SHRINK_TO


class Scaling(NamedTuple):
    """What becomes of a pixel: (pixel·scale - mean) / std."""

    scale: float
    mean: Triple
    std: Triple


class Processor(NamedTuple):
    """What a class of image processors does where the file is silent."""

    resample: int
    square: bool  # whether a single number as size is that of a square, or the shorter side
    crop: bool  # whether the centre of crop_size is kept
    mean: Triple
    std: Triple


PROCESSORS: Mapping[str, Processor] = {
    "ViT": Processor(2, True, False, HALVES, HALVES),
    "DeiT": Processor(3, True, True, HALVES, HALVES),
    "Beit": Processor(3, True, False, HALVES, HALVES),
    "Blip": Processor(3, True, False, *OPENAI),
    "Pvt": Processor(3, True, False, *IMAGENET),
    "Siglip": Processor(3, False, False, HALVES, HALVES),
    "CLIP": Processor(3, False, True, *OPENAI),
    "ChineseCLIP": Processor(3, False, True, *OPENAI),
    "Bit": Processor(3, False, True, *OPENAI),
    "MobileNetV1": Processor(2, False, True, HALVES, HALVES),
    "ConvNext": Processor(3, False, False, HALVES, HALVES),
}
"""Classes of transformers (`<name>ImageProcessor`) that resize, keep the centre and normalize, and nothing else."""

MODEL_TYPES: Mapping[str, str] = {
    **dict.fromkeys(("vit", "vit_mae", "vit_msn", "swin", "swinv2"), "ViT"),
    **dict.fromkeys(("dinov2", "bit"), "Bit"),
    **dict.fromkeys(("convnext", "convnextv2", "resnet", "regnet", "cvt"), "ConvNext"),
    "deit": "DeiT",
    "beit": "Beit",
    "clip": "CLIP",
    "siglip": "Siglip",
    "pvt": "Pvt",
}
"""`model_type` of config.json -> the processor of a file that does not name its own."""


def read_geometry(folder: Path, config: Json) -> Geometry:
    """How the folder's image processor makes squares; where it has none, the centres of pictures, bicubic.

    Raises:
        ConfigError: the size is not said, or not square; or the processor does more than can be done here.
    """
    stored = _stored(folder)
    size = read_size(folder, config)
    if not stored:
        return Geometry(size, size, "crop", "bicubic")
    name = _processor_name(stored, config)
    _refuse_other_steps(stored, name, folder)
    resample = stored.get("resample", PROCESSORS[name].resample)
    if resample not in RESAMPLE:
        raise _refusal(f"a resample of {sorted(RESAMPLE)} (Pillow's numbers)", repr(resample), folder)
    wanted = stored.get("size")
    edge = _side(wanted) or size
    square = bool(wanted.get("height")) if isinstance(wanted, Mapping) else PROCESSORS[name].square
    if name == "ConvNext":
        square = edge >= WARPED_FROM
        edge = edge if square else int(edge / stored.get("crop_pct", CROP_PCT))
    if size > edge:
        raise _refusal(f"a crop_size of at most size, {edge}", str(size), folder)
    return Geometry(size, edge, "stretch" if square else "crop", RESAMPLE[resample])


def read_size(folder: Path, config: Json) -> int:
    """Side of the square that the model takes: the processor's `crop_size` or `size`, else the model's `image_size`.

    Raises:
        ConfigError: the size is not said, or not square.
    """
    stored = _stored(folder)
    cropped = stored.get("do_center_crop", _processor(stored, config).crop)
    own = config.get("vision_config", config).get("image_size")
    size = _side(stored.get("crop_size") if cropped else None) or _side(stored.get("size")) or _side(own)
    if size is None:
        raise ConfigError(
            f"weights must say the size of a square picture in preprocessor_config.json; {folder} does not"
        )
    return size


def read_scaling(folder: Path, config: Json) -> Scaling:
    """How pixels become the model's numbers.

    Raises:
        ConfigError: mean or deviation are not three numbers.
    """
    stored = _stored(folder)
    processor = _processor(stored, config)
    normalized = stored.get("do_normalize", True)
    return Scaling(
        scale=stored.get("rescale_factor", 1 / 255) if stored.get("do_rescale", True) else 1.0,
        mean=_triple(stored.get("image_mean") or processor.mean) if normalized else (0.0, 0.0, 0.0),
        std=_triple(stored.get("image_std") or processor.std) if normalized else (1.0, 1.0, 1.0),
    )


def _stored(folder: Path) -> Json:
    stored = read_json(folder, "preprocessor_config.json")
    return stored or read_json(folder, "processor_config.json").get("image_processor", {})


def _processor(stored: Json, config: Json) -> Processor:
    """The defaults of the processor's class; those of ViT's where it is not known."""
    return PROCESSORS.get(_processor_name(stored, config), PROCESSORS["ViT"])


def _processor_name(stored: Json, config: Json) -> str:
    named = stored.get("image_processor_type") or stored.get("feature_extractor_type")
    if named is None:
        return MODEL_TYPES.get(config.get("model_type", ""), "ViT")
    return re.sub(r"(ImageProcessor|FeatureExtractor)(Fast|Pil)?$", "", named)


def _refuse_other_steps(stored: Json, name: str, folder: Path) -> None:
    if name not in PROCESSORS:
        raise _refusal(f"the image processor of one of {', '.join(sorted(PROCESSORS))}", name, folder)
    if not stored.get("do_resize", True):
        raise _refusal("an image processor with do_resize", "one without", folder)
    if stored.get("do_pad"):
        raise _refusal("an image processor without do_pad", "one with it", folder)


def _refusal(wanted: str, got: str, folder: Path) -> ConfigError:
    return ConfigError(
        f"weights must have {wanted}; got {got} in {folder}. With `geometry: cleaner` the modality's own settings "
        f"(size, fit, resample) decide how a picture becomes a square"
    )


def _side(size: object) -> int | None:
    """The one number that a size consists of, in all its spellings."""
    if isinstance(size, int):
        return size
    if not isinstance(size, Mapping):
        return None
    sides = {value for value in size.values() if value}
    return int(sides.pop()) if len(sides) == 1 else None


def _triple(numbers: object) -> Triple:
    if isinstance(numbers, int | float):
        return (float(numbers),) * 3
    if isinstance(numbers, list | tuple) and len(numbers) == 3:
        return (float(numbers[0]), float(numbers[1]), float(numbers[2]))
    raise ConfigError(f"image_mean and image_std must be three numbers; got {numbers!r}")
