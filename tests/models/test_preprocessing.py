"""What an image processor's file says, compared with what transformers makes of it."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest
import transformers
from transformers.models.auto.image_processing_auto import IMAGE_PROCESSOR_MAPPING_NAMES

from models.errors import ConfigError
from models.preprocessing import (
    CROP_PCT,
    HALVES,
    MODEL_TYPES,
    PROCESSORS,
    SHRINK_TO,
    Geometry,
    Scaling,
    read_geometry,
    read_scaling,
    read_size,
)
from tests.models.encoders.tiny_models import write_json

SQUARE_224 = {"height": 224, "width": 224}


def stored_in(folder: Path, **settings: Any) -> Path:
    """A folder with these settings of an image processor."""
    write_json(folder / "preprocessor_config.json", settings)
    return folder


@pytest.mark.parametrize("name", PROCESSORS)
def test_defaults_are_those_of_transformers(name: str) -> None:
    """What a file leaves out is what the class of transformers would take."""
    theirs = getattr(transformers, f"{name}ImageProcessorPil")
    ours = PROCESSORS[name]

    assert ours.resample == theirs.resample
    assert ours.square == theirs.default_to_square
    assert ours.crop == bool(theirs().do_center_crop)
    assert (list(ours.mean), list(ours.std)) == (theirs.image_mean, theirs.image_std)


def test_processors_do_nothing_else() -> None:
    """Each named class runs the common steps of transformers; ConvNext's resizing and BEiT's labels are known."""
    ours = {name: getattr(transformers, f"{name}ImageProcessorPil") for name in PROCESSORS}
    steps = ("resize", "center_crop", "rescale", "normalize", "pad", "_preprocess")

    own = {name: [step for step in steps if step in vars(kind)] for name, kind in ours.items()}

    assert {name: found for name, found in own.items() if found} == {
        "ConvNext": ["resize", "_preprocess"],
        "Beit": ["_preprocess"],
    }
    assert ours["ConvNext"].crop_pct == CROP_PCT


def test_model_types_have_the_processors_of_transformers() -> None:
    """A file that names no processor is read as that of its model's type."""
    theirs = {kind: IMAGE_PROCESSOR_MAPPING_NAMES[kind]["pil"] for kind in MODEL_TYPES}

    assert theirs == {kind: f"{name}ImageProcessorPil" for kind, name in MODEL_TYPES.items()}


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        # As written by transformers before it had image processors
        (
            {"feature_extractor_type": "ViTFeatureExtractor", "size": 224, "resample": 2},
            (224, 224, "stretch", "bilinear"),
        ),
        (
            {"feature_extractor_type": "CLIPFeatureExtractor", "size": 224, "crop_size": 224},
            (224, 224, "crop", "bicubic"),
        ),
        ({"image_processor_type": "ViTImageProcessorFast", "size": SQUARE_224}, (224, 224, "stretch", "bilinear")),
        # DINOv2: 256, of which 224 are kept
        (
            {"image_processor_type": "BitImageProcessor", "size": {"shortest_edge": 256}, "crop_size": SQUARE_224},
            (224, 256, "crop", "bicubic"),
        ),
        # DeiT: a square of 256, of which 224 are kept
        (
            {"image_processor_type": "DeiTImageProcessor", "size": 256, "crop_size": SQUARE_224, "resample": 1},
            (224, 256, "stretch", "lanczos"),
        ),
        # ConvNext and ResNet below 384: 224 / 0.875 = 256
        (
            {"image_processor_type": "ConvNextImageProcessor", "size": {"shortest_edge": 224}},
            (224, 256, "crop", "bicubic"),
        ),
        (
            {"image_processor_type": "ConvNextImageProcessor", "size": 224, "crop_pct": 0.95},
            (224, 235, "crop", "bicubic"),
        ),
        ({"image_processor_type": "ConvNextImageProcessor", "size": 384}, (384, 384, "stretch", "bicubic")),
        # Numbers that are not used stay in the file as nulls
        ({"size": {"height": None, "width": None, "shortest_edge": 40}}, (40, 40, "crop", "bilinear")),
        ({"do_resize": True}, (16, 16, "stretch", "bilinear")),
        ({}, (16, 16, "crop", "bicubic")),
    ],
)
def test_geometry(tmp_path: Path, stored: dict[str, Any], expected: tuple[int, int, str, str]) -> None:
    """Size, edge, fit and filter in the spellings of all times; without a file the centre at the model's own size."""
    assert read_geometry(stored_in(tmp_path, **stored), {"image_size": 16}) == (*expected, SHRINK_TO)


def test_a_processor_within_a_larger_one(tmp_path: Path) -> None:
    """processor_config.json, which transformers 5 writes for models of two modalities, holds the image processor."""
    write_json(
        tmp_path / "processor_config.json",
        {"image_processor": {"image_processor_type": "SiglipImageProcessor", "size": SQUARE_224}},
    )

    assert read_geometry(tmp_path, {}) == Geometry(224, 224, "stretch", "bicubic")


def test_the_models_type_stands_in_for_the_name(tmp_path: Path) -> None:
    """A nameless file beside a ResNet is read as ConvNext's: 64 / 0.875 = 73.1."""
    folder = stored_in(tmp_path, size=64)

    assert read_geometry(folder, {"model_type": "resnet"}) == Geometry(64, 73, "crop", "bicubic")


@pytest.mark.parametrize(
    ("stored", "message"),
    [
        ({"size": {"height": 16, "width": 32}}, "size of a square picture"),
        ({"size": {"shortest_edge": 16, "longest_edge": 32}}, "size of a square picture"),
        ({"size": 16, "image_processor_type": "MobileViTImageProcessor"}, "one of Beit.*; got MobileViT in"),
        ({"size": 16, "do_resize": False}, "with do_resize; got one without"),
        ({"size": 16, "do_pad": True}, "without do_pad; got one with it"),
        ({"size": 16, "resample": 0}, r"a resample of \[1, 2, 3\] .*; got 0"),
        ({"size": 16, "do_center_crop": True, "crop_size": 17}, "crop_size of at most size, 16; got 17"),
    ],
)
def test_what_cannot_be_done_is_refused(tmp_path: Path, stored: dict[str, Any], message: str) -> None:
    """A processor that does something else is refused, instead of giving its model other pixels."""
    with pytest.raises(ConfigError, match=message):
        read_geometry(stored_in(tmp_path, **stored), {})


def test_an_unknown_processor_still_says_size_and_scaling(tmp_path: Path) -> None:
    """Where the cleaner decides the geometry, size, mean and deviation of any processor are read."""
    folder = stored_in(tmp_path, image_processor_type="MyImageProcessor", size=24, image_mean=0.25, image_std=[1, 2, 3])

    assert read_size(folder, {}) == 24
    assert read_scaling(folder, {}) == Scaling(1 / 255, (0.25,) * 3, (1.0, 2.0, 3.0))


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        ({"size": 24}, Scaling(1 / 255, HALVES, HALVES)),
        ({"size": 24, "do_normalize": False, "do_rescale": False}, Scaling(1.0, (0.0,) * 3, (1.0,) * 3)),
        ({"size": 24, "rescale_factor": 0.5, "image_mean": [1, 2, 3]}, Scaling(0.5, (1.0, 2.0, 3.0), HALVES)),
    ],
)
def test_scaling(tmp_path: Path, stored: dict[str, Any], expected: Scaling) -> None:
    """Factor, mean and deviation, and what is switched off."""
    assert read_scaling(stored_in(tmp_path, **stored), {}) == expected


def test_a_mean_must_be_three_numbers(tmp_path: Path) -> None:
    """Another number of channels than three is told."""
    with pytest.raises(ConfigError, match=r"must be three numbers; got \[0.5\]"):
        read_scaling(stored_in(tmp_path, size=24, image_mean=[0.5]), {})


def test_planning_needs_no_torch() -> None:
    """The settings are read when a job is planned, where loading torch would take seconds."""
    source = Path(importlib.import_module("models.preprocessing").__file__ or "").read_text()

    assert "torch" not in source
