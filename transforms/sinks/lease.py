"""One run at a time works on a job and date: a lease with a heartbeat, and a fencing number that only grows.

The lease is a file beside the output, changed only under a lock (flock) on its guard file, so that of two takers
one wins. It is taken over when its holder is a dead process of this machine, or when its heartbeat has not come
for `ttl` seconds. Age is measured with the machine's steady clock where holder and taker share one, so that setting
the wall clock moves nothing; between machines it is the wall clock, which NTP keeps together.

A holder that was stopped for longer than `ttl` may wake up and believe it still holds the lease. That is what the
number is for: `fence` compares it with the file, and keeps the guard locked while the fenced step runs.
"""

from __future__ import annotations

import fcntl
import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any

from models.errors import AmalgamError, LeaseHeld, TemporaryError
from transforms.sinks.clock import Clock, SystemClock
from transforms.sinks.durable import read_json, write_json, writing
from transforms.sinks.layout import safe_name
from transforms.sinks.owner import Owner
from transforms.sinks.storage import make_folder

TTL_SECONDS = 60.0
"""How long a silent holder on another machine is waited for."""
CLOCK_SLACK_SECONDS = 2 * 86_400.0
"""How far two machines' clocks may be apart before one takes the other's living run for dead: each a day off."""
_BEATS_PER_TTL = 4  # three may fail before the lease is lost
_GUARD_SECONDS = 30.0  # the guard is held for milliseconds; longer means a stopped process or a hanging file server
_GUARD_POLL_SECONDS = 0.01

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Record:
    """What the lease's file says."""

    job: str
    date: str
    number: int
    owner: Owner
    wall: float
    steady: float
    ttl: float
    released: bool = False

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> _Record:
        return cls(**{**value, "owner": Owner(**value["owner"])})

    def age(self, taker: Owner, clock: Clock) -> float:
        """Seconds since the last heartbeat."""
        if self.owner.same_machine(taker):
            return clock.steady() - self.steady
        return clock.wall() - self.wall

    def is_free(self, taker: Owner, clock: Clock) -> bool:
        return self.released or self.owner.is_dead(taker) or self.age(taker, clock) > self.ttl


@dataclass(frozen=True)
class Fence:
    """Proof of a lease that can be sent to the process that publishes: entered around the atomic step."""

    path: Path
    number: int

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """Keep the lease from changing hands inside the block.

        Raises:
            LeaseHeld: it already has.
        """
        with guarded(self.path):
            _own_record(self.path, self.number)
            yield


class Lease:
    """A lease that this process holds; made by `acquire`, a context manager that releases it.

    An error that leaves its block after somebody else has taken over leaves it as LeaseHeld.
    """

    def __init__(self, path: Path, record: _Record, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._ttl = record.ttl
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, name=f"lease {path.stem}", daemon=True)
        self.number = record.number
        """The fencing number: higher than that of every holder before."""
        self.fence = Fence(path, record.number)
        """For `Sink.publish`."""

    @classmethod
    def acquire(
        cls,
        folder: Path,
        job: str,
        date: str,
        owner: Owner | None = None,
        clock: Clock | None = None,
        ttl: float = TTL_SECONDS,
    ) -> Lease:
        """Take the lease of a job and date, and keep it alive from a thread.

        Args:
            folder: `Layout.leases`.
            job: the job's name.
            date: UTC day.
            owner: the holder to be; this process if None.
            clock: the system's if None.
            ttl: seconds without a heartbeat after which others may take over.

        Raises:
            LeaseHeld: naming the holder, its age and when it expires.
            OutputError, PermissionRefused: the folder cannot be written.
        """
        owner, clock = owner or Owner.this_process(), clock or SystemClock()
        path = _path_of(folder, job, date)
        with writing(folder):
            make_folder(folder)
            with guarded(path):
                before = _read(path)
                if before and not before.is_free(owner, clock):
                    raise LeaseHeld(_held(before, owner, clock))
                number = before.number + 1 if before else 1
                record = _Record(job, date, number, owner, clock.wall(), clock.steady(), ttl)
                write_json(path, asdict(record))
        lease = cls(path, record, clock)
        lease._thread.start()
        return lease

    def check(self) -> None:
        """Check that nobody has taken over.

        Raises:
            LeaseHeld: somebody has.
        """
        _own_record(self._path, self.number)

    def heartbeat(self) -> None:
        """Say that this process lives; the thread does so every quarter of `ttl`.

        Raises:
            LeaseHeld: somebody has taken over.
        """
        self._update(released=False)

    def release(self) -> None:
        """Give the lease back; harmless when somebody has taken over, and when storage is away: it then expires."""
        self._stop.set()
        self._thread.join()
        try:
            self._update(released=True)
        except AmalgamError as error:  # what the run did or met says more than this
            _LOG.warning("the lease was not given back: %s", error)

    def __enter__(self) -> Lease:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        lost = self._lost() if isinstance(error, AmalgamError) else None
        self.release()
        if lost is not None and error is not lost:  # whoever took over has swept what this run was working with
            raise lost from error

    def _lost(self) -> LeaseHeld | None:
        try:
            self.check()
        except LeaseHeld as held:
            return held
        except (OSError, AmalgamError):  # storage is away: nobody knows
            return None
        return None

    def _update(self, released: bool) -> None:
        with writing(self._path), guarded(self._path):
            record = _own_record(self._path, self.number)
            now = replace(record, wall=self._clock.wall(), steady=self._clock.steady(), released=released)
            write_json(self._path, asdict(now))

    def _beat(self) -> None:
        while not self._stop.wait(self._ttl / _BEATS_PER_TTL):
            try:
                self.heartbeat()
            except LeaseHeld as error:
                _LOG.error("%s", error)
                return  # `check` and the fence say so to those who need to know
            except AmalgamError as error:
                _LOG.warning("no heartbeat: %s", error)  # the next one may come through


def may_be_held(folder: Path, job: str, date: str, clock: Clock | None = None) -> bool:
    """Whether some run may hold the lease of a job and date, even if the clocks of two machines are a day apart.

    For those who would remove what belongs to that run; `Lease.acquire` decides more quickly.
    """
    path, taker, clock = _path_of(folder, job, date), Owner.this_process(), clock or SystemClock()
    record = _read(path)
    if record is None or record.released or record.owner.is_dead(taker):
        return False
    slack = 0.0 if record.owner.same_machine(taker) else CLOCK_SLACK_SECONDS
    return record.age(taker, clock) <= record.ttl + slack


def is_left_behind(folder: Path, job: str, date: str, clock: Clock | None = None) -> bool:
    """Whether a job and date have a lease that its holder can no longer give back."""
    record = _read(_path_of(folder, job, date))
    return record is not None and not record.released and record.is_free(Owner.this_process(), clock or SystemClock())


def _path_of(folder: Path, job: str, date: str) -> Path:
    return folder / f"{safe_name(f'{job}-{date}')}.json"


def _own_record(path: Path, number: int) -> _Record:
    record = _read(path)
    if record is None or record.number != number or record.released:
        now = f"{record.owner} with number {record.number}" if record else "nobody"
        raise LeaseHeld(f"{path} must carry the fencing number {number}; got {now}: another run has taken over")
    return record


def _read(path: Path) -> _Record | None:
    return _Record.from_json(read_json(path)) if path.exists() else None


def _held(record: _Record, taker: Owner, clock: Clock) -> str:
    age = record.age(taker, clock)
    return (
        f"job {record.job!r} of {record.date} must be run by one process at a time; got {record.owner}, which gave its "
        f"last sign of life {age:.0f} s ago and holds the lease for another {record.ttl - age:.0f} s without one; "
        "wait for it, or stop it, and run the same command again"
    )


@contextmanager
def guarded(path: Path) -> Iterator[None]:
    """Alone among all processes and threads that change what `path` stands for: a lease, or a published date."""
    handle = os.open(path.with_suffix(".guard"), os.O_RDWR | os.O_CREAT, 0o666)
    try:
        _lock(handle, path)
        yield
    finally:
        os.close(handle)  # which unlocks


def _lock(handle: int, path: Path) -> None:
    deadline = time.monotonic() + _GUARD_SECONDS
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError as error:
            if time.monotonic() > deadline:
                raise TemporaryError(
                    f"{path} must be free to change within {_GUARD_SECONDS:.0f} s; got a lock held all the while; "
                    "run the same command again"
                ) from error
        time.sleep(_GUARD_POLL_SECONDS)
