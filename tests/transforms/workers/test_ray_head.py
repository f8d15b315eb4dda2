"""Ray's head is looked for by a plain connection, and nothing that is asked of it waits for ever."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest

from models.errors import WorkerDied
from transforms.workers.ray_head import Head, asked, bounded


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    """Something that accepts connections, as a head does."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def address(server: socket.socket) -> str:
    """Where it listens."""
    return f"127.0.0.1:{server.getsockname()[1]}"


def test_a_head_that_is_there_is_no_concern(listening: socket.socket) -> None:
    """However often it is looked for."""
    clock = Clock()
    head = Head(f"ray://{address(listening)}", clock)

    for _ in range(10):
        head.check()
        clock.now += 10


def test_a_head_may_be_away_for_15_seconds(listening: socket.socket) -> None:
    """Away from second 10 on: at 10, 16 and 22 that is borne, at 28 (18 s later) it is the end."""
    clock = Clock()
    head = Head(address(listening), clock)
    head.check()
    listening.close()

    for clock.now in (110.0, 116.0, 122.0):
        head.check()
    clock.now = 128.0
    with pytest.raises(WorkerDied, match=r"head must be reachable at 127.0.0.1:\d+; got no answer for 15 s"):
        head.check()


def test_a_head_that_comes_back_is_forgiven(listening: socket.socket) -> None:
    """The 15 s begin anew with each absence."""
    clock = Clock()
    place = listening.getsockname()
    head = Head(address(listening), clock)
    listening.close()
    head.check()  # away since 100
    clock.now = 110.0
    with socket.create_server(place):
        head.check()  # back

    for clock.now in (116.0, 130.0):  # away since 116: 14 s
        head.check()


def test_it_is_not_looked_for_all_the_time(listening: socket.socket) -> None:
    """Within 5 s of a look there is no other, so that a check per batch costs nothing."""
    clock = Clock()
    head = Head(address(listening), clock)

    for _ in range(100):
        head.check()
        clock.now += 0.01

    listening.settimeout(1)
    listening.accept()[0].close()
    listening.setblocking(False)
    with pytest.raises(BlockingIOError):  # no second connection waits
        listening.accept()


def test_bounded_gives_the_result() -> None:
    """What the call returns."""
    assert bounded(lambda: 3, 5.0) == 3


def test_bounded_raises_what_the_call_raises() -> None:
    """Of its own class."""
    with pytest.raises(ZeroDivisionError):
        bounded(lambda: 1 / 0, 5.0)


def test_bounded_does_not_wait_for_ever() -> None:
    """A call of a minute is left alone after 0.1 s."""
    began = time.monotonic()

    with pytest.raises(WorkerDied, match=r"must answer within 0\.1 s"):
        bounded(lambda: time.sleep(60), 0.1)

    assert time.monotonic() - began < 5


@pytest.mark.parametrize("error", [ConnectionError("gone"), AssertionError("Expected str or bytes, got NoneType")])
def test_a_head_that_does_not_answer_is_a_temporary_error(error: Exception) -> None:
    """Whatever Ray raises then, also where it is an assertion of its own."""

    def fail() -> None:
        raise error

    with pytest.raises(WorkerDied, match="Ray's head must answer; got "):
        asked(fail)
