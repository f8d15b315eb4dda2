"""Tests of the principal plane."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.report.projection import FIT_ROWS, principal_plane


def test_the_widest_direction_comes_first() -> None:
    """Points on two orthogonal axes are found again, scaled as they were and with their share of the variance."""
    x = np.array([[3, 0, 5], [-3, 0, 5], [0, 1, 5], [0, -1, 5]], dtype=np.float32)
    plane = principal_plane(x)
    assert plane is not None
    np.testing.assert_allclose(plane.points, x[:, :2], atol=1e-12)
    # Sums of squares 18 along the first axis, 2 along the second, of 20.
    np.testing.assert_allclose(plane.explained, (0.9, 0.1))


def test_signs_do_not_depend_on_the_order_of_rows() -> None:
    """The largest entry of each direction is positive, so shuffled rows land where they were."""
    rng = np.random.default_rng(1)
    x = (rng.standard_normal((300, 6)) * (5, 3, 1, 1, 1, 1)).astype(np.float32)
    order = rng.permutation(300)
    first, second = principal_plane(x), principal_plane(x[order])
    assert first is not None
    assert second is not None
    np.testing.assert_allclose(second.points, first.points[order], atol=1e-9)


def test_many_rows_are_fitted_on_some() -> None:
    """Beyond FIT_ROWS the directions come from evenly spaced rows, and all rows are projected."""
    x = (np.random.default_rng(2).standard_normal((3 * FIT_ROWS, 4)) * (9, 4, 1, 1)).astype(np.float32)
    plane = principal_plane(x)
    assert plane is not None
    assert plane.points.shape == (3 * FIT_ROWS, 2)
    # The first axis is almost the first coordinate: correlation 1 but for sampling error.
    assert np.corrcoef(plane.points[:, 0], x[:, 0])[0, 1] > 0.999


@pytest.mark.parametrize("shape", [(0, 4), (1, 4), (5, 0)])
def test_too_little_has_no_plane(shape: tuple[int, int]) -> None:
    """No rows, one row, or no dimensions: nothing to draw."""
    assert principal_plane(np.ones(shape, dtype=np.float32)) is None


def test_equal_vectors_have_no_plane() -> None:
    """Rounding around equal vectors is not taken for variance."""
    assert principal_plane(np.full((50, 16), 0.1, dtype=np.float32)) is None


def test_one_direction_leaves_the_second_axis_empty() -> None:
    """Vectors on a line have no height, instead of magnified rounding."""
    plane = principal_plane(np.outer(np.arange(9), [1, 2]).astype(np.float32))
    assert plane is not None
    assert (plane.points[:, 1] == 0).all()
