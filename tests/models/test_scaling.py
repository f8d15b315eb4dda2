"""Tests of how pixels become a model's numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from transformers import CLIPImageProcessorPil

from models.preprocessing import OPENAI, Scaling
from models.scaling import PixelScaling, ScalingFirst

PIXELS = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3)).astype(np.uint8)
WANTED = Scaling(1 / 255, *OPENAI)


def test_equals_the_processor() -> None:
    """The numbers of transformers' own steps, to a rounding or two of float32 (values reach 2.7)."""
    processor = CLIPImageProcessorPil(do_resize=False, do_center_crop=False)
    theirs = processor(list(PIXELS), return_tensors="np", input_data_format="channels_last")["pixel_values"]

    ours = PixelScaling(WANTED)(torch.from_numpy(PIXELS))

    assert ours.dtype == torch.float32
    np.testing.assert_allclose(ours.numpy(), theirs, rtol=0, atol=1e-6)


def test_planes_lie_one_behind_the_other() -> None:
    """The layout is that of the reference, so that the model picks the same kernels."""
    assert PixelScaling(WANTED)(torch.from_numpy(PIXELS)).is_contiguous()


def test_scaled_before_the_model_sees_them() -> None:
    """The model gets floats of its own precision, and every other argument as it was."""
    seen: dict[str, Any] = {}
    forward = ScalingFirst(seen.update, WANTED, torch.device("cpu"), torch.bfloat16)

    forward(pixel_values=torch.from_numpy(PIXELS), return_dict=True)

    expected = PixelScaling(WANTED)(torch.from_numpy(PIXELS)).bfloat16()
    assert seen["return_dict"] is True
    assert torch.equal(seen["pixel_values"], expected)
