"""Texts whose cleaner does what they say: `[clean:raise]`, `[clean:segfault]`; for tests of faults."""

from __future__ import annotations

import ctypes
import resource
from pathlib import Path
from typing import ClassVar

import pyarrow as pa

from transforms.modalities.base import Cleaned, Cleaner
from transforms.modalities.text import TextSpec


class TreacherousTextSpec(TextSpec):
    """A text, unless it asks for something else."""

    kind: ClassVar[str] = "treacherous_text"
    unhashed: ClassVar[frozenset[str]] = frozenset({"log"})

    log: str | None = None
    """A file that gets a line for every misdeed: what, and of how many values."""

    def build(self) -> Cleaner:
        """The cleaner."""
        clean = super().build()

        def treacherous(values: pa.Array) -> Cleaned:
            texts = [text for text in values.to_pylist() if text]
            for word in ("raise", "segfault"):
                if any(f"[clean:{word}]" in text for text in texts):
                    self._misbehave(word, len(values))
            return clean(values)

        return treacherous

    def _misbehave(self, word: str, values: int) -> None:
        if self.log:
            with Path(self.log).open("a", encoding="utf-8") as log:
                log.write(f"{word} {values}\n")
        if word == "raise":
            raise ValueError("a text must not say so")
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core dump takes seconds and a gigabyte
        ctypes.string_at(0)
