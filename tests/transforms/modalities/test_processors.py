"""Cleaned pixels against those of transformers' image processors, on which pretrained models were taught."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
import transformers
from PIL import Image, ImageOps

from models.arrow import to_numpy
from models.encoders.huggingface_image import HuggingFaceImageSpec
from tests.models.encoders.tiny_models import write_json
from tests.transforms.modalities.pictures import encoded
from transforms.modalities.image import ImageSpec

SIDE = 32
SQUARE = {"height": SIDE, "width": SIDE}
LARGER = {"height": 37, "width": 37}  # 37 - 32 is odd: the centre lies between two pixels

# Each class with its own default settings at a smaller size. (ViT: also Swin; Bit: DINOv2; ConvNext: also ResNet.)
PROCESSORS: dict[str, tuple[str, dict[str, Any]]] = {
    "ViT": ("ViT", {"size": SQUARE}),
    "Swin": ("ViT", {"size": SQUARE, "resample": 3}),
    "DeiT": ("DeiT", {"size": LARGER, "crop_size": SQUARE}),
    "Beit": ("Beit", {"size": SQUARE}),
    "Siglip": ("Siglip", {"size": SQUARE}),
    "Blip": ("Blip", {"size": SQUARE}),
    "CLIP": ("CLIP", {"size": {"shortest_edge": SIDE}, "crop_size": SQUARE}),
    "DINOv2": ("Bit", {"size": {"shortest_edge": 37}, "crop_size": SQUARE}),
    "MobileNetV1": ("MobileNetV1", {"size": {"shortest_edge": 37}, "crop_size": SQUARE}),
    "ConvNext": ("ConvNext", {"size": {"shortest_edge": SIDE}}),
    "ConvNext with lanczos": ("ConvNext", {"size": {"shortest_edge": SIDE}, "resample": 1}),
    "ConvNext of 384": ("ConvNext", {"size": {"shortest_edge": 384}}),
}

SIZES = [(48, 36), (36, 48), (32, 32), (3, 5), (1, 7), (101, 67), (67, 101), (250, 40), (40, 250), (333, 517)]
LARGE = (1203, 901)  # more than 8 times the target, and odd


def picture(width: int, height: int, mode: str = "RGB") -> Image.Image:
    """Noise over a gradient: sharp edges, smooth areas, values at both ends."""
    rng = np.random.default_rng(width * 10_000 + height)
    ramp = np.linspace(0, 255, width)[None, :, None] * np.ones((height, 1, 3))
    noise = rng.normal(0, 60, (height, width, 3)) * (rng.random((height, width, 1)) < 0.5)
    return Image.fromarray(np.clip(ramp + noise, 0, 255).astype(np.uint8)).convert(mode)


def processor_of(name: str, folder: Path) -> Any:
    """The processor, saved to a folder as a user would have it; it leaves pixels as they are, 0 to 255."""
    kind, settings = PROCESSORS[name]
    processor = getattr(transformers, f"{kind}ImageProcessorPil")(**settings)
    processor.save_pretrained(folder)
    write_json(folder / "config.json", {"model_type": "vit"})
    processor.do_rescale = processor.do_normalize = False
    return processor


def cleaned(folder: Path, files: list[bytes], **settings: Any) -> npt.NDArray[np.int64]:
    """`[n, size, size, 3]` of files, as an encoder around this folder wants them."""
    wanted = HuggingFaceImageSpec(weights=str(folder)).requires()
    spec = ImageSpec.model_validate({"column": "photo", **wanted, **settings})
    values, issues = spec.build()(pa.array(files, pa.binary()))
    assert issues.to_pylist() == [[]] * len(files)
    return to_numpy(values).reshape(len(files), spec.size, spec.size, 3).astype(np.int64)


def expected_of(processor: Any, pictures: list[Image.Image]) -> npt.NDArray[np.int64]:
    """`[n, size, size, 3]` of decoded RGB pictures."""
    planes = processor([image.convert("RGB") for image in pictures], return_tensors="np")["pixel_values"]
    moved: npt.NDArray[np.int64] = np.moveaxis(planes, 1, -1).astype(np.int64)
    return moved


@pytest.mark.parametrize("name", PROCESSORS)
def test_exact_is_bit_by_bit_the_processor(name: str, tmp_path: Path) -> None:
    """With `exact`, every pixel is that of the folder's processor: portraits, landscapes, tiny and large pictures."""
    processor = processor_of(name, tmp_path)
    pictures = [picture(*size) for size in [*SIZES, LARGE]]

    ours = cleaned(tmp_path, [encoded(image, "PNG") for image in pictures], exact=True)

    np.testing.assert_array_equal(ours, expected_of(processor, pictures))


@pytest.mark.parametrize("name", PROCESSORS)
def test_default_is_within_a_level(name: str, tmp_path: Path) -> None:
    """Without `exact`, what is not shrunk is off by one level in few values (by two where filters ring at noise)."""
    processor = processor_of(name, tmp_path)
    pictures = [picture(*size) for size in [*SIZES, LARGE]]

    ours = cleaned(tmp_path, [encoded(image, "PNG") for image in pictures])

    off = np.abs(ours - expected_of(processor, pictures))
    assert off.max() <= 2
    # Coefficients of 16 instead of 22 bits move about 1 value in 200 across an edge of rounding; where a tiny picture
    # is enlarged, more values lie near one.
    assert off.mean() < 0.02


@pytest.mark.parametrize("name", ["CLIP", "ConvNext"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_turned_pictures(name: str, orientation: int, tmp_path: Path) -> None:
    """EXIF's turn comes before the processor, as when `ImageOps.exif_transpose` has made the picture upright."""
    processor = processor_of(name, tmp_path)
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = encoded(picture(101, 67), "PNG", exif=exif)
    stored = Image.open(io.BytesIO(file))

    ours = cleaned(tmp_path, [file], exact=True)

    np.testing.assert_array_equal(ours, expected_of(processor, [ImageOps.exif_transpose(stored)]))


@pytest.mark.parametrize("mode", ["L", "P", "1", "CMYK"])
def test_other_modes_are_rgb_first(mode: str, tmp_path: Path) -> None:
    """Grey, palette, bit and ink pictures are those of the RGB picture that Pillow makes of them."""
    processor = processor_of("CLIP", tmp_path)
    image = picture(101, 67, mode)

    ours = cleaned(tmp_path, [encoded(image, "TIFF")], exact=True)

    np.testing.assert_array_equal(ours, expected_of(processor, [image]))


def test_a_jpeg_is_decoded_in_full_when_exact(tmp_path: Path) -> None:
    """Eight times the target would be decoded at a half; `exact` decodes all of it."""
    processor = processor_of("CLIP", tmp_path)
    file = encoded(picture(8 * SIDE, 8 * SIDE), "JPEG", quality=90)
    decoded = Image.open(io.BytesIO(file))

    exact, shrunk = cleaned(tmp_path, [file], exact=True), cleaned(tmp_path, [file])

    np.testing.assert_array_equal(exact, expected_of(processor, [decoded]))
    assert (shrunk != exact).any()


def test_the_cleaner_may_decide(tmp_path: Path) -> None:
    """With `geometry: cleaner` the folder asks for its size alone, and any fit of the modality is allowed."""
    processor_of("CLIP", tmp_path)

    assert HuggingFaceImageSpec(weights=str(tmp_path), geometry="cleaner").requires() == {"size": SIDE}
