"""Tests of patience: which errors are waited for, how long, and what comes when that was not enough."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from models.errors import StorageAway
from transforms.sinks.retry import TRANSIENT, Patience

PATH = Path("out/file")


def _failing(times: int, code: int) -> tuple[Callable[[], str], list[int]]:
    """A call that fails so many times, and the list of its attempts."""
    attempts: list[int] = []

    def call() -> str:
        attempts.append(len(attempts))
        if len(attempts) <= times:
            raise OSError(code, os.strerror(code))
        return "done"

    return call, attempts


@pytest.mark.parametrize("code", sorted(TRANSIENT))
def test_what_may_go_away_is_tried_again(code: int) -> None:
    """After two failures the third attempt's answer counts; the pauses double."""
    call, attempts = _failing(2, code)
    pauses: list[float] = []
    assert Patience(attempts=3, first_pause=0.5, sleep=pauses.append)(call, PATH) == "done"
    assert (len(attempts), pauses) == (3, [0.5, 1.0])


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.ENOENT])
def test_what_does_not_go_away_is_raised_at_once(code: int) -> None:
    """A full disk or a refused permission is as it was, without any waiting."""
    call, attempts = _failing(1, code)
    with pytest.raises(OSError) as raised:  # noqa: PT011  # the code is what is asked for
        Patience(sleep=lambda _: pytest.fail("waited"))(call, PATH)
    assert (raised.value.errno, len(attempts)) == (code, 1)


def test_what_stays_away_is_said_so() -> None:
    """After the last attempt: 75, the path, the reason and how often it was tried; it is not slept once more."""
    call, attempts = _failing(9, errno.ETIMEDOUT)
    pauses: list[float] = []
    with pytest.raises(StorageAway, match="out/file; got Connection timed out, 4 times") as raised:
        Patience(attempts=4, sleep=pauses.append)(call, PATH)
    assert (len(attempts), len(pauses), raised.value.exit_code) == (4, 3, 75)


def test_the_pauses_are_what_the_docstring_says() -> None:
    """Seven attempts have six pauses: 0.05 + 0.1 + 0.2 + 0.4 + 0.8 + 1.6 = 3.15 s."""
    call, _ = _failing(9, errno.EIO)
    pauses: list[float] = []
    with pytest.raises(StorageAway):
        Patience(sleep=pauses.append)(call, PATH)
    assert sum(pauses) == pytest.approx(3.15)
