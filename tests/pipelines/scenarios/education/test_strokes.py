"""Strokes of a handwritten sheet."""

from __future__ import annotations

from pipelines.scenarios.education.strokes import CROSS, GLYPHS, TICK, scribble


def test_every_sign_of_a_calculation_can_be_written() -> None:
    """Digits, plus, minus and equals; each stays within its box, give or take a tenth, and has at least two points."""
    assert set(GLYPHS) == set("0123456789+-=")
    for stroke in (*[stroke for strokes in GLYPHS.values() for stroke in strokes], TICK, *CROSS):
        assert len(stroke) >= 2
        assert (stroke > -0.1).all()
        assert (stroke < 1.1).all()


def test_a_scribble_covers_its_box() -> None:
    """From one side to the other, up and down with every step."""
    path = scribble(10.0, 20.0, 4)
    assert (path[0, 0], path[-1, 0]) == (0, 10)
    assert set(path[:, 1]) == {2.0, 18.0}  # a tenth and nine tenths of the height
    assert len(path) == 8
