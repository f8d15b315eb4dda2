"""Failures of workers, told to the driver through storage: runners hand back text, the exit code needs the class."""

from __future__ import annotations

import json
import logging
import traceback
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from models import errors
from models.errors import AmalgamError, ConfigError, InternalError, Problem

_LOG = logging.getLogger(__name__)


@contextmanager
def note_failure(folder: str, where: str) -> Iterator[None]:
    """Write down what is raised inside, then let it go on its way.

    Args:
        folder: where failure notes lie, one file each; seen by the driver too.
        where: unit id or stage.
    """
    try:
        yield
    except Exception as error:  # noted whatever it is, and raised again
        note = {
            "where": where,
            "error": type(error).__name__,
            "message": str(error),
            "problems": [list(p) for p in error.problems] if isinstance(error, ConfigError) else [],
            "traceback": traceback.format_exc(),
        }
        _write(Path(folder) / f"{uuid.uuid4().hex}.json", json.dumps(note))
        raise


def _write(path: Path, note: str) -> None:
    """A note is whole or not there: the disk may be full, which may be the very failure that is noted."""
    unfinished = path.with_suffix(".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished.write_text(note, encoding="utf-8")
        unfinished.replace(path)
    except OSError as error:
        # The runner carries the failure's text as well (see `pipelines.runners.cause`); this error must not hide it.
        _LOG.warning("a failure could not be noted in %s: %s", path.parent, error)


def read_failure(folder: str) -> AmalgamError | None:
    """The failure that decides the run's exit code, or None when nothing was noted.

    A configuration error comes before all others, since it explains them; one that no retry can help comes before
    one that might go away.
    """
    path = Path(folder)
    notes = [json.loads(p.read_text(encoding="utf-8")) for p in sorted(path.glob("*.json"))] if path.is_dir() else []
    found = [_rebuild(note) for note in notes]
    return min(found, key=lambda e: (not isinstance(e, ConfigError), e.retryable, str(e)), default=None)


def clear_failures(folder: str) -> None:
    """Forget what an earlier attempt noted."""
    for path in Path(folder).glob("*.json"):
        path.unlink(missing_ok=True)


def _rebuild(note: dict[str, object]) -> AmalgamError:
    cls = getattr(errors, str(note["error"]), None)
    if cls is ConfigError:
        return ConfigError([Problem(*p) for p in note["problems"]])  # type: ignore[attr-defined]  # JSON
    if isinstance(cls, type) and issubclass(cls, AmalgamError):
        return cls(str(note["message"]))
    error = InternalError(f"unit {note['where']} failed with {note['error']}: {note['message']}")
    error.add_note(str(note["traceback"]))
    return error
