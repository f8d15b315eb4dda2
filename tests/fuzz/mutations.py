"""Hypothesis strategies that damage real files: bytes changed, cut off, repeated, spliced with others."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

# Lengths and counts at which programs err: none, one, signs, and the largest of each width. Big and little end.
_EXTREMES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF)
NUMBERS = tuple(value.to_bytes(4, order) for value in _EXTREMES for order in ("big", "little"))


@st.composite
def mutated(draw: st.DrawFn, files: Sequence[bytes]) -> bytes:
    """One of the files, damaged up to three times."""
    content = draw(st.sampled_from(files))
    for _ in range(draw(st.integers(1, 3))):
        content = draw(st.sampled_from((_flipped, _overwritten, _cut, _without, _repeated)))(draw, content)
    return _spliced(draw, content, draw(st.sampled_from(files))) if draw(st.booleans()) else content


def _flipped(draw: st.DrawFn, content: bytes) -> bytes:
    changed = bytearray(content)
    for place in draw(st.lists(_place(content), min_size=1, max_size=8)):
        if place < len(changed):
            changed[place] ^= 1 << draw(st.integers(0, 7))
    return bytes(changed)


def _overwritten(draw: st.DrawFn, content: bytes) -> bytes:
    place, number = draw(_place(content)), draw(st.sampled_from(NUMBERS) | st.binary(min_size=4, max_size=4))
    return content[:place] + number + content[place + 4 :]


def _cut(draw: st.DrawFn, content: bytes) -> bytes:
    return content[: draw(_place(content))]


def _without(draw: st.DrawFn, content: bytes) -> bytes:
    start, end = sorted((draw(_place(content)), draw(_place(content))))
    return content[:start] + content[end:]


def _repeated(draw: st.DrawFn, content: bytes) -> bytes:
    start, end = sorted((draw(_place(content)), draw(_place(content))))
    return content[:end] + content[start:end] * draw(st.integers(1, 20)) + content[end:]


def _spliced(draw: st.DrawFn, content: bytes, other: bytes) -> bytes:
    return content[: draw(_place(content))] + other[draw(_place(other)) :]


def _place(content: bytes) -> st.SearchStrategy[int]:
    return st.integers(0, len(content)) | st.integers(0, min(64, len(content)))  # headers stand at the beginning
