"""What is laid on a page."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from pipelines.scenarios.finance import page
from pipelines.scenarios.finance.page import Box

BLACK = np.zeros(3, dtype=np.float32)


def paper(height: int = 100, width: int = 80) -> npt.NDArray[np.float32]:
    """White paper `[3, H, W]`."""
    return np.ones((3, height, width), dtype=np.float32)


def test_inks_darken_what_lies_below() -> None:
    """Half a cover of an ink that lets 20 % through leaves 60 %; laid twice, 36 %."""
    sheet = paper()
    ink = np.full(3, 0.2, dtype=np.float32)
    page.lay(sheet, ink, 0.5)
    assert sheet == pytest.approx(0.6)
    page.lay(sheet, ink, np.full((100, 80), 0.5, dtype=np.float32))
    assert sheet == pytest.approx(0.36)


def test_boxes_are_views() -> None:
    """What is drawn into a box stands on the page, at its place."""
    sheet = paper()
    Box(0.25, 0.5, 0.75, 0.6).on(sheet)[:] = 0
    rows, columns = np.nonzero(sheet[0] == 0)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (50, 59, 20, 59)


def test_bars_cover_the_area_of_their_heights() -> None:
    """Ink grows in proportion to the bars' heights: of 100 rows the lowest one is the axis, which is not counted."""
    inked = []
    for height in (0.2, 0.4, 0.8):
        sheet = paper()
        page.bars(sheet, np.full(8, height), BLACK, np.random.default_rng(0))
        inked.append((1 - sheet[0, :-1, 1:]).sum())  # without the axes
    assert inked[1] / inked[0] == pytest.approx(39 / 19, rel=1e-5)
    assert inked[2] / inked[0] == pytest.approx(79 / 19, rel=1e-5)


def test_empty_rows_of_a_table_hold_no_entries() -> None:
    """Below the part that is filled stand rules alone."""
    sheet = paper()
    page.table(sheet, 10, 0.5, BLACK, np.random.default_rng(0))
    lower = sheet[0, 51:59]
    lines = (lower < 1).all(axis=0)  # the columns' rules
    assert 2 <= lines.sum() <= 4
    assert (lower[:, ~lines] == 1).all()
    assert (sheet[0, :50] < 0.5).mean() > 0.1


def test_seals_at_the_edge_are_cut() -> None:
    """A seal whose middle is near the corner darkens the part of it that is on the page, and nothing far away."""
    sheet = paper()
    page.seal(sheet, (4.0, 76.0), 12.0, BLACK, np.random.default_rng(0))
    assert sheet[:, :22, 58:].min() < 0.4
    assert (sheet[:, 22:] == 1).all()


def test_signatures_stay_in_their_box() -> None:
    """The pen leaves a line across most of the box, and none outside."""
    sheet = paper()
    page.pen_stroke(sheet, Box(0.5, 0.5, 1, 1), BLACK, np.random.default_rng(0))
    assert (sheet[:, :50] == 1).all()
    assert (sheet[:, :, :40] == 1).all()
    assert (sheet[0, 50:, 40:] < 1).any(axis=0).sum() > 20
