"""Tests of reading from storage that fails: what is repeated, what is given up, and what is nobody's failure."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from models.errors import PermissionRefused, StorageAway
from tests.transforms.failing_storage import BUSY, FailingStorage, Sleeps
from transforms.steady_file import Patience, SteadyFile, steadily

DELAYS = (0.5, 1.0)


class Flaky:
    """A call that fails so many times before it works."""

    def __init__(self, failures: int, error: OSError) -> None:
        self.left, self.error = failures, error

    def __call__(self) -> str:
        if self.left:
            self.left -= 1
            raise self.error
        return "done"


def opened(path: Path, storage: FailingStorage, sleep: Callable[[float], None] | None = None) -> SteadyFile:
    """A file with ten bytes."""
    path.write_bytes(b"0123456789")
    return SteadyFile(storage, str(path), path.name, Patience(DELAYS, sleep or Sleeps()))


@pytest.mark.parametrize("failures", [0, 1, 2])
def test_a_call_is_repeated_after_growing_delays(failures: int) -> None:
    """Two delays allow two failures."""
    sleep = Sleeps()

    assert steadily("x", Flaky(failures, OSError(BUSY)), Patience(DELAYS, sleep)) == "done"
    assert sleep.slept == list(DELAYS[:failures])


def test_the_last_failure_is_told() -> None:
    """What was called, how often, and the storage's own words."""
    with pytest.raises(StorageAway, match=r"^s3://b/x must be readable; got AWS Error SLOW_DOWN .* 3 times in a row$"):
        steadily("s3://b/x", Flaky(3, OSError(BUSY)), Patience(DELAYS, Sleeps()))


@pytest.mark.parametrize("error", [PermissionError(13, "denied"), OSError("AWS Error ACCESS_DENIED during GetObject")])
def test_a_refusal_is_not_asked_again(error: OSError) -> None:
    """Asking again does not help: at once, with another exit code."""
    sleep = Sleeps()

    with pytest.raises(PermissionRefused, match="x must be readable"):
        steadily("x", Flaky(1, error), Patience(DELAYS, sleep))

    assert sleep.slept == []


def test_the_delays_that_are_shipped_add_up_to_less_than_a_quarter_of_a_minute() -> None:
    """A storage that is gone is told within the time that a scheduler's log reader has patience for."""
    assert sum(Patience().delays) == pytest.approx(12.7)


def test_a_read_is_repeated_on_a_file_that_is_opened_anew(tmp_path: Path) -> None:
    """A handle that failed once is not used again; what is read is right."""
    storage = FailingStorage(0)
    file = opened(tmp_path / "f", storage, sleep=lambda _: setattr(storage, "share", 0.0))
    before, storage.share = storage.calls, 1.0

    assert file.read_at(4, 3) == b"3456"
    assert storage.calls - before == 3  # the failed read, opening, the read


def test_places_behind_the_end_are_not_asked_of_the_storage(tmp_path: Path) -> None:
    """A footer may name places that do not exist: that is the data's fault, and no call is made."""
    storage = FailingStorage(0)
    file = opened(tmp_path / "f", storage)
    storage.share = 1.0

    assert [file.read_at(4, 10), file.read_at(4, 1 << 40), file.read_at(4, -3), file.read_at(0, 3)] == [b""] * 4
    assert file.failure is None


def test_a_read_across_the_end_is_short(tmp_path: Path) -> None:
    """As of any file."""
    assert opened(tmp_path / "f", FailingStorage(0)).read_at(100, 8) == b"89"


def test_what_failed_is_kept_for_those_who_only_see_its_echo(tmp_path: Path) -> None:
    """pyarrow may raise an error of its own in place of ours."""
    storage = FailingStorage(0)
    file = opened(tmp_path / "f", storage)
    storage.share = 1.0

    with pytest.raises(StorageAway) as caught:
        file.read_at(1, 0)

    assert file.failure is caught.value


def test_it_reads_and_seeks_as_files_do(tmp_path: Path) -> None:
    """From the start, from here, from the end; to the end when no count is given."""
    with opened(tmp_path / "f", FailingStorage(0)) as file:
        assert (file.size(), file.tell(), file.read(3), file.tell()) == (10, 0, b"012", 3)
        assert (file.seek(1, 1), file.read(1)) == (4, b"4")
        assert (file.seek(-2, 2), file.read()) == (8, b"89")
        assert (file.seek(0), file.read(2)) == (0, b"01")
        assert not file.closed
    assert file.closed
