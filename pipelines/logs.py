"""Logging of the command line: warnings on stderr in one line each, without the noise of libraries' start-up."""

from __future__ import annotations

import logging
import sys

# Lines that say nothing to a user of Amalgam: Beam's note that Google's clients are not installed, Ray's that it
# leaves signals to the process it runs in, and Beam's on options that only a job server knows (`runners` judges them).
_NOISE = ("apitools not found", "SIGTERM handler is not set", "Discarding unparseable args")


def configure(level: int = logging.WARNING) -> None:
    """Send warnings to stderr; called once, by the program's start."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
    handler.addFilter(lambda record: not record.getMessage().startswith(_NOISE))
    logging.basicConfig(level=level, handlers=[handler], force=True)
