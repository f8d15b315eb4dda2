"""Script: `amalgam` with a lease that expires soon; stops itself (SIGSTOP) when it is about to publish.

Usage: run_and_stop.py TTL ARGUMENTS…

On the machine of its holder, a lease is taken over when its holder is dead or has been silent for the time that it
asked for itself, a minute by default. Asking for less is all that this script changes.
"""

from __future__ import annotations

import os
import signal
import sys
from functools import partial
from typing import Any

from pipelines import cli
from transforms.sinks import commit
from transforms.sinks.lease import Lease


def main(ttl: str, *arguments: str) -> int:
    """The command's exit code."""
    Lease.acquire = partial(Lease.acquire, ttl=float(ttl))  # type: ignore[method-assign]  # a partial binds nothing
    publish = commit.publish

    def stop_then_publish(*values: Any) -> Any:
        os.kill(os.getpid(), signal.SIGSTOP)
        return publish(*values)

    commit.publish = stop_then_publish  # type: ignore[assignment]  # whatever it is called with
    return cli.main(list(arguments))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
