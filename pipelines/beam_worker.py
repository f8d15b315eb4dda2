"""A Beam worker process on this machine: Beam's own, without its log lines, and never outliving its driver."""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


def end_with(driver: int) -> None:
    """Let the kernel kill this process as soon as its parent, the process `driver`, is gone (Linux).

    Without it a worker that waits for Ray notices only when Ray gives up, a minute later.
    """
    library = ctypes.CDLL(None, use_errno=True)
    if hasattr(library, "prctl") and library.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    if os.getppid() != driver:  # it ended before the kernel was asked
        sys.exit(1)


def main() -> None:
    """Work until the driver, whose process number is the one argument, ends; warnings go to it, and it prints them."""
    end_with(int(sys.argv.pop(1)))
    # Importing Beam logs a warning, which would make Python print this process's whole log to stderr.
    logging.getLogger().addHandler(logging.NullHandler())
    from apache_beam.runners.worker import sdk_worker_main

    sdk_worker_main.main(sys.argv)


if __name__ == "__main__":
    main()
