"""Ray's head service as a process of the run sees it: its death is noticed in time, and no question waits for ever."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from typing import Any, Final, TypeVar

import ray
from ray import exceptions as failures

from models.errors import MemoryExceeded, WorkerDied

T = TypeVar("T")

LOOK_SECONDS: Final = 5.0  # how often a process that waits looks whether Ray is still there
AWAY_SECONDS: Final = 15.0  # a head may be busy or restarted for so long; after 60 s Ray ends the process from within
PROBE_SECONDS: Final = 5.0  # a Ray that takes longer to accept a connection counts as away
NODES_SECONDS: Final = 10.0  # a head that is there tells its nodes at once


class ActorFailed(Exception):
    """An actor says itself that it is of no more use: its device failed."""


DEATHS: Final = (
    failures.RayActorError,  # died, unavailable
    failures.WorkerCrashedError,
    failures.ObjectLostError,
    failures.GetTimeoutError,
    failures.OutOfMemoryError,  # Ray kills actors when the machine's memory runs out
    ActorFailed,
)


class Head:
    """The head at an address.

    Args:
        address: host:port of the head, or ray://host:port of its client port.
        clock: steady seconds.
    """

    def __init__(self, address: str, clock: Callable[[], float] = time.monotonic) -> None:
        host, port = address.removeprefix("ray://").rsplit(":", 1)
        self._place = (host, int(port))
        self._name = address
        self._clock = clock
        self._looked = float("-inf")
        self._away_since: float | None = None

    def check(self) -> None:
        """Look whether the head is there, unless it was looked lately.

        Raises:
            WorkerDied: it has not accepted a connection for longer than AWAY_SECONDS.
        """
        now = self._clock()
        if now - self._looked < LOOK_SECONDS:
            return
        self._looked = now
        if self.answers():
            self._away_since = None
        elif self._away_since is None:
            self._away_since = now
        elif now - self._away_since > AWAY_SECONDS:
            raise WorkerDied(f"Ray's head must be reachable at {self._name}; got no answer for {AWAY_SECONDS:g} s")

    def answers(self) -> bool:
        """Whether it accepts a connection."""
        try:
            socket.create_connection(self._place, timeout=PROBE_SECONDS).close()
        except OSError:
            return False
        return True

    def check_nodes(self) -> None:
        """Check that Ray still has a machine to run on: it would wait for one without end.

        Raises:
            WorkerDied: every node is dead.
        """
        self.check()
        if not self.answers():
            return
        if not any(node["Alive"] for node in bounded(ray.nodes, NODES_SECONDS)):
            raise WorkerDied("Ray must have a live node; got none: its raylet was killed, or its machine is gone")


def bounded(call: Callable[[], T], seconds: float) -> T:
    """`call()`, waited for on a thread, since Ray gives some of its calls no limit.

    Raises:
        WorkerDied: it does not return in time; the thread goes on waiting, and ends with the process.
    """
    outcome: list[T] = []
    failure: list[BaseException] = []

    def target() -> None:
        try:
            outcome.append(call())
        except BaseException as error:  # noqa: BLE001  (carried to the waiting thread, whatever it is)
            failure.append(error)

    thread = threading.Thread(target=target, daemon=True)
    thread.start()
    thread.join(seconds)
    if failure:
        raise failure[0]
    if outcome:
        return outcome[0]
    raise WorkerDied(f"Ray's head must answer within {seconds:g} s; got no answer")


def asked(call: Callable[[], T]) -> T:
    """`call()`, which asks the head by Ray's own means: within RAY_gcs_server_request_timeout_seconds.

    Raises:
        WorkerDied: it did not answer.
        ValueError: it knows no such name.
    """
    try:
        return call()
    except ValueError:
        raise
    except (failures.RayError, ConnectionError, AssertionError) as error:
        # The assertion is Ray's own: when a driver's machine is gone, its head forgets the classes of the actors.
        raise WorkerDied(f"Ray's head must answer; got {error}") from error


def fetched(get: Callable[[], Any]) -> Any:
    """`get()`, with Ray's errors as ours; those in DEATHS pass, because a new actor may help.

    Raises:
        Exception: what the op raised, as the op raised it.
        ActorFailed: the op said that its worker is of no more use.
        MemoryExceeded: Ray had no memory for the batch or its result.
        WorkerDied: Ray itself is gone.
    """
    try:
        return get()
    except failures.RayTaskError as error:
        if isinstance(error.cause, WorkerDied):
            raise ActorFailed(str(error.cause)) from error
        raise error.cause from None  # the op's own error; its worker's traceback adds nothing for a user
    except failures.ObjectStoreFullError as error:
        raise MemoryExceeded(f"a batch must fit into Ray's memory; got {error}") from error
    except DEATHS:
        raise
    except (failures.RayError, ConnectionError) as error:
        raise WorkerDied(f"Ray must be reachable; got {error}") from error
