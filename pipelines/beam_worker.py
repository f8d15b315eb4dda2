"""A Beam worker process on this machine: Beam's own, without its log lines on the user's terminal."""

from __future__ import annotations

import logging
import sys


def main() -> None:
    """Work until the driver ends; warnings go to the driver, which prints them."""
    # Importing Beam logs a warning, which would make Python print this process's whole log to stderr.
    logging.getLogger().addHandler(logging.NullHandler())
    from apache_beam.runners.worker import sdk_worker_main

    sdk_worker_main.main(sys.argv)


if __name__ == "__main__":
    main()
