"""Small JSON notes that outlive a run, in the user's cache folder: what was measured once is not measured again."""

from __future__ import annotations

import json
import logging
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from models.spec import digest

LOG = logging.getLogger(__name__)


def folder() -> Path:
    """Where notes lie: AMALGAM_PLANS, else below XDG_CACHE_HOME or ~/.cache (freedesktop.org's specification)."""
    if own := os.environ.get("AMALGAM_PLANS"):
        return Path(own)
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "amalgam" / "plans"


def recall(key: Mapping[str, object]) -> dict[str, Any] | None:
    """What was noted under this key; None when nothing was, or when it cannot be read."""
    try:
        noted = json.loads(_path(key).read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RuntimeError) as error:  # RuntimeError: this user has no home
        LOG.warning("a note on workers cannot be read and is made again: %s", error)
        return None
    # The key lies in the note too: two keys with one name, and files that others put there, are told apart.
    return noted["value"] if isinstance(noted, dict) and noted.get("key") == key else None


def note(key: Mapping[str, object], value: Mapping[str, object]) -> None:
    """Note a value under a key, in one atomic step; where that is impossible, the next run measures again."""
    try:
        path = _path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=".", delete=False) as file:
            json.dump({"key": key, "value": value}, file, indent=1)
        Path(file.name).replace(path)
    except (OSError, RuntimeError) as error:
        LOG.warning("a note on workers cannot be kept: %s", error)


def _path(key: Mapping[str, object]) -> Path:
    return folder() / f"{digest(key)[:32]}.json"
