"""Waits for a pipeline on a job server, and notices when a worker of it has died: some job servers never do."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

import grpc  # type: ignore[import-untyped]  # ships no types
from apache_beam.runners.runner import PipelineResult

from models.errors import WorkerCrashed
from transforms.diary import Entry, read_entry
from transforms.sinks.owner import Owner

LOG = logging.getLogger(__name__)

POLL_SECONDS: Final = 1.0
# In which a runner that retries has a new worker at the rows of a dead one: that takes 5 s to start, 20 s on a busy
# machine.
RETRY_SECONDS: Final = 30.0


class Bereavement:
    """Rows whose process is dead, by the pages of a diary that nobody writes on any more.

    Args:
        diary: the folder of the pages; processes on other machines cannot be asked and count as alive.
        clock: steady seconds.
    """

    def __init__(self, diary: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._diary = diary
        self._clock = clock
        self._me = Owner.this_process()
        # Whatever stands there now is an earlier attempt's.
        self._old = set(self._orphans())
        self._since: dict[tuple[str, Owner], float] = {}

    def _orphans(self) -> dict[tuple[str, Owner], Entry]:
        pages = {path.stem: read_entry(path) for path in self._diary.glob("*.json")}
        entries = {(unit, entry.owner): entry for unit, entry in pages.items() if entry is not None}
        return {key: entry for key, entry in entries.items() if entry.owner.is_dead(self._me)}

    def check(self) -> None:
        """Look at all pages.

        Raises:
            WorkerCrashed: a process has been dead for RETRY_SECONDS, and no other has taken up its unit.
        """
        now = self._clock()
        orphans = {key: entry for key, entry in self._orphans().items() if key not in self._old}
        self._since = {key: self._since.get(key, now) for key in orphans}
        for (unit, owner), since in self._since.items():
            if now - since > RETRY_SECONDS:
                raise WorkerCrashed(
                    f"every worker must live until the pipeline ends; got the death of {owner} at {unit}"
                )


def wait(result: PipelineResult, diary: str) -> str:
    """Wait for a pipeline that was started; gives its last state.

    Args:
        result: of a runner that works elsewhere.
        diary: folder in which its workers note what they are at.

    Raises:
        WorkerCrashed: a worker died and the job server does not see to it; the job has been cancelled.
        Exception: what waiting for the result raised.
    """
    bereavement = Bereavement(Path(diary))
    state: list[str] = []
    failure: list[BaseException] = []

    def target() -> None:
        try:
            state.append(result.wait_until_finish())
        except BaseException as error:  # noqa: BLE001  (carried to the waiting thread, whatever it is)
            failure.append(error)

    thread = threading.Thread(target=target, name="wait for the job server", daemon=True)
    thread.start()
    try:
        while thread.is_alive():
            thread.join(POLL_SECONDS)
            bereavement.check()
    except WorkerCrashed:
        with suppress(grpc.RpcError):  # the job server is gone too
            result.cancel()
        raise
    if failure:
        raise failure[0]
    return state[0]
