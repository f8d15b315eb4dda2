"""Hypothesis strategies that all tests share: file contents, texts, and Arrow arrays with nulls and slices."""

from __future__ import annotations

import io
import wave
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from PIL import Image


def file_contents() -> SearchStrategy[bytes]:
    """Bytes of no format at all, and real files of a few formats with some bytes changed, added or cut off."""
    return st.binary(max_size=200) | st.sampled_from(_small_files()).flatmap(damaged)


@st.composite
def damaged(draw: st.DrawFn, content: bytes) -> bytes:
    """`content` with up to four bytes overwritten, and perhaps cut short."""
    changed = bytearray(content)
    for place, byte in draw(st.lists(st.tuples(st.integers(0, len(content) - 1), st.integers(0, 255)), max_size=4)):
        changed[place] = byte
    end = draw(st.just(len(content)) | st.integers(0, len(content)))
    return bytes(changed[:end])


def texts() -> SearchStrategy[str]:
    """Texts in which the odd characters are common: controls, joiners, combining marks, mojibake, white space."""
    odd = st.sampled_from([*"\n\t \x00\x1b\x85\xa0\xad\u200b\u200d\u202e\u0301\ufeffÃ©â€™ﬁ１😀@.:+-0123456789"])
    return st.text(odd | st.characters(codec="utf-8"), max_size=60)


def arrays(type_: pa.DataType, max_size: int = 6) -> SearchStrategy[pa.Array]:
    """Arrays of an Arrow type with nulls, half of them slices of longer ones (so with an offset)."""
    return _plain_arrays(type_, max_size) | _plain_arrays(type_, max_size).map(as_slice)


def as_slice(array: pa.Array) -> pa.Array:
    """The same values as a slice of a longer array, so that offsets matter."""
    return pa.concat_arrays([array[-1:], array, array[:1]]).slice(min(1, len(array)), len(array))


@st.composite
def _plain_arrays(draw: st.DrawFn, type_: pa.DataType, max_size: int) -> pa.Array:
    values = draw(st.lists(st.none() | _values(type_), max_size=max_size))
    if pa.types.is_string(type_) and draw(st.booleans()):
        raw = pa.array([value if value is None else value.encode() + b"\xff" for value in values], pa.binary())
        return pa.Array.from_buffers(type_, len(raw), raw.buffers())  # strings that are not UTF-8, as files hold them
    return pa.array(values, type_)


def _values(type_: pa.DataType) -> SearchStrategy[Any]:
    """Python values that `pa.array(values, type_)` takes."""
    kinds = pa.types
    if kinds.is_struct(type_):
        return st.fixed_dictionaries({field.name: st.none() | _values(field.type) for field in type_})
    if kinds.is_dictionary(type_):
        return _values(type_.value_type)
    if kinds.is_list(type_) or kinds.is_large_list(type_):
        return st.lists(st.none() | _values(type_.value_type), max_size=5)
    if kinds.is_fixed_size_binary(type_):
        return st.binary(min_size=type_.byte_width, max_size=type_.byte_width)
    if kinds.is_integer(type_):
        signed = kinds.is_signed_integer(type_)
        bits = type_.bit_width
        return st.integers(-(2 ** (bits - 1)) if signed else 0, 2 ** (bits - signed) - 1)
    if kinds.is_floating(type_):
        return st.floats(width=type_.bit_width)
    return _SIMPLE[str(type_)]


def _small_files() -> list[bytes]:
    files = []
    picture = Image.linear_gradient("L").resize((9, 7)).convert("RGB")
    for name in ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF"):
        file = io.BytesIO()
        picture.save(file, name)
        files.append(file.getvalue())
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(bytes(range(200)))
    return [*files, file.getvalue()]


_SIMPLE: dict[str, SearchStrategy[Any]] = {
    "null": st.none(),
    "bool": st.booleans(),
    "string": texts(),
    "large_string": texts(),
    "string_view": texts(),
    "binary": file_contents(),
    "large_binary": file_contents(),
    "binary_view": file_contents(),
    "date32[day]": st.dates(),
    "decimal128(12, 2)": st.decimals(-(10**9), 10**9, places=2),
    "timestamp[us]": st.datetimes(),
    "timestamp[us, tz=UTC]": st.datetimes(),
}

ARROW_TYPES: list[pa.DataType] = [
    *(pa.null(), pa.bool_(), pa.int8(), pa.int32(), pa.int64(), pa.uint64()),
    *(pa.float32(), pa.float64(), pa.decimal128(12, 2), pa.date32(), pa.timestamp("us"), pa.timestamp("us", "UTC")),
    *(pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())),
    *(pa.binary(), pa.large_binary(), pa.binary_view(), pa.binary(3)),
    pa.struct({"bytes": pa.binary(), "path": pa.string()}),
    pa.list_(pa.struct({"time": pa.timestamp("us", "UTC"), "value": pa.float32()})),
    pa.list_(pa.struct({"time": pa.float64(), "value": pa.float64()})),
    pa.large_list(pa.struct({"time": pa.int64(), "value": pa.int32()})),
]
"""Types that tables bring along; a contract test asks each modality which of them it takes."""
