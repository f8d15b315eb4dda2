"""`amalgam` with marks at its seams: `python -m benchmarks.start.command FILE ARGUMENTS…`."""

from __future__ import annotations

import sys
from typing import Any

from benchmarks.faults.seams import Function, wrap
from benchmarks.start.marks import mark

# Mark -> the function at whose return it is made. The driver is called nothing else by these: what they import, the
# command itself imports first of all.
SEAMS = {"job read": "pipelines.commands:load_job", "planned": "pipelines.run:prepare"}
WORKERS = "pipelines.execute:_process_all"  # called as soon as there are workers


def main(file: str, arguments: list[str]) -> int:
    """Run a command of Amalgam; its exit code."""
    mark(file, "Python started")
    from pipelines import cli

    for name, target in SEAMS.items():
        wrap(target, _marked(file, name))
    mark(file, "imported what plans")
    wrap(WORKERS, _marked(file, "workers there", at_call=True))
    return cli.main(arguments)


def _marked(file: str, name: str, *, at_call: bool = False) -> Any:
    def around(function: Function) -> Function:
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            if at_call:
                mark(file, name)
            result = function(*args, **kwargs)
            if not at_call:
                mark(file, name)
            return result

        return wrapper

    return around


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
