"""The ceiling of a worker's batches: halved by trouble, raised by an eighth after long peace."""

from __future__ import annotations

from transforms.workers.ceiling import MOST_PATIENCE, PATIENCE, Ceiling


def in_peace(ceiling: Ceiling, batches: int) -> Ceiling:
    """After so many batches that were as large as allowed."""
    for _ in range(batches):
        ceiling.fitted(ceiling.most(1_000_000))
    return ceiling


def test_without_trouble_there_is_none() -> None:
    """A batch of any size goes as a whole, however many fitted before."""
    assert in_peace(Ceiling(), 100).most(5_000) == 5_000


def test_trouble_halves() -> None:
    """1,024 rows did not fit: 512 at once, then 256."""
    ceiling = Ceiling()
    ceiling.failed(1_024)
    assert ceiling.most(1_024) == 512
    ceiling.failed(512)
    assert ceiling.most(1_024) == 256


def test_small_batches_go_whole() -> None:
    """A ceiling of 64 does not concern 10 rows."""
    assert Ceiling(64).most(10) == 10


def test_a_row_is_always_sent() -> None:
    """One row that does not fit leaves a ceiling of one, never of none."""
    ceiling = Ceiling()
    ceiling.failed(1)
    assert ceiling.most(8) == 1


def test_trouble_above_the_ceiling_does_not_raise_it() -> None:
    """A batch that was under way before: half of 1,024 is more than the 64 that are known by now."""
    ceiling = Ceiling(64)
    ceiling.failed(1_024)
    assert ceiling.rows == 64


def test_it_grows_by_an_eighth_after_32_batches() -> None:
    """64 stays 64 for 31 batches and is 72 after the 32nd; 81 after 32 more (72 + 72 // 8)."""
    ceiling = in_peace(Ceiling(64), PATIENCE - 1)
    assert ceiling.rows == 64
    assert in_peace(ceiling, 1).rows == 72
    assert in_peace(ceiling, PATIENCE).rows == 81


def test_the_smallest_grows_too() -> None:
    """An eighth of 1 is none; it becomes 2 all the same."""
    assert in_peace(Ceiling(1), PATIENCE).rows == 2


def test_batches_below_the_ceiling_do_not_count() -> None:
    """63 rows that fit say nothing about 64."""
    ceiling = Ceiling(64)
    for _ in range(10 * PATIENCE):
        ceiling.fitted(63)
    assert ceiling.rows == 64


def test_trouble_starts_the_count_again() -> None:
    """31 good batches, a failure, 31 good batches: no growth yet."""
    ceiling = in_peace(Ceiling(64), PATIENCE - 1)
    ceiling.failed(64)
    assert in_peace(ceiling, PATIENCE - 1).rows == 32


def test_patience_doubles_when_a_raise_was_too_much() -> None:
    """72 did not fit after the raise: back to 36, and 64 batches until the next raise."""
    ceiling = in_peace(Ceiling(64), PATIENCE)
    ceiling.failed(72)
    assert (ceiling.rows, ceiling.patience) == (36, 2 * PATIENCE)
    assert in_peace(ceiling, 2 * PATIENCE - 1).rows == 36
    assert in_peace(ceiling, 1).rows == 40


def test_patience_ends_somewhere() -> None:
    """However often a raise fails, it is tried again after 1,024 batches."""
    ceiling = Ceiling(64)
    for _ in range(20):
        in_peace(ceiling, ceiling.patience)
        assert ceiling.rows is not None
        ceiling.failed(ceiling.rows)
    assert ceiling.patience == MOST_PATIENCE
