"""The environment of the peers."""

from __future__ import annotations

from pathlib import Path

from benchmarks import environment

ADDED = ("daft==0.7.26",)
SHARED = ("apache-beam", "pyarrow", "ray", "sentence-transformers", "torch", "transformers")


def python(folder: Path) -> Path:
    """The interpreter of the environment, which is made unless it is there; see `benchmarks.environment.python`."""
    return environment.python(folder, ADDED, SHARED, ("ray[data]",))
