"""Logging of the command line: warnings on stderr in one line each, without the noise of libraries' start-up."""

from __future__ import annotations

import logging
import sys

# Lines that say nothing to a user of Amalgam: Beam's note that Google's clients are not installed, and its note on
# options that only a job server knows (`runners` judges them).
_NOISE = ("apitools not found", "Discarding unparseable args")
_WORKER_NOISE = "No semi_persistent_directory found"  # inside what a worker process sends
# Beam logs what a DoFn raised, with its traceback, and raises it too: then it is told once, in one paragraph.
_TOLD_OTHERWISE = "apache_beam.runners.common"


def configure(level: int = logging.WARNING) -> None:
    """Send warnings, and what the commands themselves tell, to stderr; called once, by the program's start."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter("%(levelname)s %(name)s: %(message)s"))
    handler.addFilter(_is_wanted)
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.getLogger("pipelines").setLevel(logging.INFO)


class _Formatter(logging.Formatter):
    """What a command tells stands for itself; a warning says who warns."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, or several where a traceback belongs to it."""
        return record.getMessage() if record.levelno == logging.INFO else super().format(record)


def _is_wanted(record: logging.LogRecord) -> bool:
    message = record.getMessage()
    return record.name != _TOLD_OTHERWISE and not message.startswith(_NOISE) and _WORKER_NOISE not in message
