"""What all tests share: one numerical thread per process, as the program has, and no time limits on examples."""

from __future__ import annotations

import os
import uuid

# Before numpy and torch are loaded, which read it once. With another number of threads a matrix product is cut
# otherwise, and its last bits differ.
for _pool in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_pool, "1")

import pytest  # noqa: E402
from hypothesis import settings  # noqa: E402  # imports numpy

settings.register_profile("amalgam", deadline=None, print_blob=True)  # machines are shared: time says nothing
settings.load_profile("amalgam")


@pytest.fixture(autouse=True)
def _own_notes(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test learns from another, or from its user's nights, how an encoder is best run."""
    # A folder that is made when it is needed: `mktemp` looks through those of all tests before.
    monkeypatch.setenv("AMALGAM_PLANS", str(tmp_path_factory.getbasetemp() / "plans" / uuid.uuid4().hex))
