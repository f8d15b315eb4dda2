"""Tests of the figures: what they count and how they are labelled."""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from models.arrow import Float32
from pipelines.report import bars, flow, histogram, pace, plot
from tests.pipelines.report.published import counts


def floats(*values: float) -> Float32:
    """`[n]` float32."""
    return np.array(values, dtype=np.float32)


def heights(svg: str) -> list[float]:
    """Heights of the drawn columns, in percent."""
    return [float(h) for h in re.findall(r'height="([\d.]+)" class="column"', svg)]


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [(0, 1, [0, 0.5, 1]), (0, 100, [0, 50, 100]), (3, 19, [5, 10, 15]), (-1, 1, [-1, -0.5, 0, 0.5, 1]), (2, 2, [2])],
)
def test_ticks_are_round(low: float, high: float, ticks: list[float]) -> None:
    """Ticks stand 1, 2 or 5 times a power of ten apart, within the axis."""
    assert plot.nice_ticks(low, high) == pytest.approx(ticks)


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (0.25, "0.25"), (1500, "1,500"), (20_000, "20k"), (1.5e6, "1.5M")]
)
def test_short_numbers(value: float, text: str) -> None:
    """Axis labels are short."""
    assert plot.short(value) == text


def test_probabilities_span_the_unit_interval() -> None:
    """Scores within [0, 1] are always drawn over [0, 1]."""
    assert histogram.score_range(floats(0.4, 0.5)) == (0.0, 1.0)


def test_outliers_do_not_stretch_a_histogram() -> None:
    """One value far out is counted in words, and the others keep their room."""
    values = floats(*range(1000), 1e6)
    drawn = histogram.histogram("spend", values)
    assert "1 outside the picture" in drawn
    assert histogram.score_range(values)[1] < 1200


def test_equal_scores_are_one_column() -> None:
    """A constant score has a range of its own and one full column."""
    assert heights(histogram.histogram("spend", np.full(9, 7, np.float32))) == [100]


def test_columns_are_proportional() -> None:
    """Column heights are shares of the fullest one."""
    # Bins are 1/40 wide: 0.51 thrice in one, 0.11 once in another.
    assert heights(histogram.histogram("p", floats(0.51, 0.51, 0.51, 0.11))) == [33.33, 100]


def test_no_scores_are_said_in_words() -> None:
    """A histogram without rows is a sentence."""
    assert "No rows." in histogram.histogram("p", floats())


def test_pace_average_counts_only_what_this_run_did() -> None:
    """Rows resumed at the start are no rows per second."""
    # (1,100 - 100) rows in 10 s.
    assert "100 rows/s on average" in pace.throughput([[0, 100], [5, 600], [10, 1100]])


@pytest.mark.parametrize("curve", [[], [[0.0, 0.0]], [[1.0, 0.0], [1.0, 5.0]]])
def test_a_run_too_short_for_a_curve(curve: list[list[float]]) -> None:
    """Fewer than two points in time have no pace."""
    assert "too short" in pace.throughput(curve)


def test_flow_tells_every_number() -> None:
    """The ledger stands in the figure's label, in words."""
    drawn = flow.flow(counts(100, quarantined={"key.missing": 3, "key.duplicate": 1}))
    assert 'aria-label="Of 100 rows read: 96 published, 3 key.missing, 1 key.duplicate"' in drawn


def test_nothing_read_is_a_sentence() -> None:
    """A flow of no rows has no bands."""
    assert "No rows were read." in flow.flow(counts(0))


def test_bands_are_proportional_and_never_invisible() -> None:
    """A band is as thick as its share, and one row of a million can still be seen."""
    band, rare = flow.bands([("published", 999_999), ("key.missing", 1)])
    assert band.thickness == pytest.approx(flow.FULL_HEIGHT, rel=1e-5)
    assert rare.thickness == flow.THINNEST


def test_bands_do_not_overlap() -> None:
    """Bands leave side by side and arrive at least a label apart."""
    placed = flow.bands([("published", 90), ("a", 5), ("b", 5), ("c", 1)])
    for upper, lower in pairwise(placed):
        assert lower.leaves == pytest.approx(upper.leaves + upper.thickness)
        assert lower.arrives >= upper.arrives + max(upper.thickness, flow.LABEL_HEIGHT)


def test_many_reasons_are_added_up() -> None:
    """Beyond the drawn bands, the rest is one band with its number of reasons and rows."""
    reasons = flow.main_reasons(Counter({f"r{i}": 10 - i for i in range(9)}))
    assert len(reasons) == flow.MOST_REASONS
    # Kept are 10, 9, 8, 7, 6; left are 5 + 4 + 3 + 2.
    assert reasons[-1] == ("4 other reasons", 14)


def test_presence_gives_each_state_its_share() -> None:
    """A quarter absent is a quarter of the bar."""
    drawn = bars.presence(["photo", "review"], counts(100))
    assert 'aria-label="photo: 75.0 % present, 25.0 % absent, 0 % masked"' in drawn
    assert 'class="absent" style="width:25%"' in drawn


def test_weights_are_of_present_rows() -> None:
    """Quantiles leave out rows without the modality; the mean does not."""
    shares, has = floats(0.8, 0.8, 0, 0), np.array([True, True, False, False])
    drawn = bars.weights(["photo"], {"photo": shares}, {"photo": has})
    assert "median 80 %" in drawn
    assert "photo 40.0 %" in drawn


def test_a_modality_that_no_row_has() -> None:
    """An always absent modality has an empty box."""
    drawn = bars.weights(["photo"], {"photo": np.zeros(2, np.float32)}, {"photo": np.zeros(2, np.bool_)})
    assert 'class="box"></div>' in drawn
