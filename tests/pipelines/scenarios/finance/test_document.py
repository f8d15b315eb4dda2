"""Scanned statements."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from pipelines.scenarios.finance import document
from pipelines.scenarios.finance.document import LAYOUTS
from pipelines.scenarios.finance.page import Box


def page(stability: float, collateral: float, seed: int) -> npt.NDArray[np.float64]:
    """A page `[H, W, 3]`, 0 to 1."""
    content = document.draw(np.array([stability, collateral]), np.random.default_rng(seed))
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"), dtype=np.float64) / 255


def test_formats_and_sizes() -> None:
    """JPEG, PNG, WebP and TIFF; upright pages of 96 to 128 by 128 to 160 pixels; a few in grey."""
    rng = np.random.default_rng(0)
    pages = [Image.open(io.BytesIO(document.draw(rng.standard_normal(2), rng))) for _ in range(250)]
    assert {image.format for image in pages} == {"JPEG", "PNG", "WEBP", "TIFF"}
    assert {image.width for image in pages} == set(range(96, 129, 8))
    assert {image.height for image in pages} == set(range(128, 161, 8))
    assert 0 < sum(image.mode == "L" for image in pages) < 25  # 3 % of 250; WebP has no grey mode


def test_the_same_stream_draws_the_same_page() -> None:
    """Bytes follow from the view and the generator alone."""
    shown = np.array([0.3, -0.8])
    first, second = (document.draw(shown, np.random.default_rng(4)) for _ in range(2))
    assert first == second != document.draw(shown, np.random.default_rng(5))


def test_stable_incomes_are_high_and_even_bars() -> None:
    """The months of a stable income vary less, around a higher mean, and never leave the chart."""
    drawn = {s: document._incomes(s, np.random.default_rng(1)) for s in (-2.0, 0.0, 2.0)}
    assert drawn[-2.0].mean() < drawn[0.0].mean() < drawn[2.0].mean()
    assert drawn[2.0].std() < 0.5 * drawn[0.0].std()
    assert drawn[0.0].mean() == pytest.approx(0.5)  # the level is exact where nothing is clipped
    assert all(0 < heights.min() <= heights.max() <= 1 for heights in drawn.values())


def test_collateral_shows_in_the_seal() -> None:
    """Pages with much collateral have more green than red in them, those with little more red than green."""
    for collateral, sign in ((-2.0, 1), (2.0, -1)):
        pages = [page(0.0, collateral, seed) for seed in range(12)]
        redness = [(p[..., 0] - p[..., 1]).mean() - np.median(p[..., 0] - p[..., 1]) for p in pages]
        assert sign * np.mean(redness) > 0.005


def test_collateral_shows_in_the_table() -> None:
    """Pages with much collateral have more ink in the asset table."""
    little, much = (np.mean([page(0.0, c, seed).mean() for seed in range(12)]) for c in (-2.0, 2.0))
    assert little > much + 0.02


@pytest.mark.parametrize("layout", LAYOUTS, ids=["upright", "upside_down", "left", "right"])
def test_charts_and_tables_stand_apart(layout: document.Layout) -> None:
    """No form prints its chart over its table, and everything is on the page."""
    parts = (layout.head, layout.chart, layout.assets, *layout.words)
    for index, box in enumerate(parts):
        assert 0 <= box.left < box.right <= 1
        assert 0 <= box.top < box.bottom <= 1
        assert not any(_overlap(box, other) for other in parts[:index])


def _overlap(one: Box, other: Box) -> bool:
    return max(one.left, other.left) < min(one.right, other.right) and max(one.top, other.top) < min(
        one.bottom, other.bottom
    )
