"""Tests of keys: a value's by its bytes, a store's by all else that decides an embedding."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from models.encoders.base import EncoderSpec
from models.encoders.hashed_ngrams import HashedNgramsSpec
from models.encoders.image_histograms import ImageHistogramsSpec
from models.encoders.log_mel import LogMelSpec
from models.statistics import NumberStatistics
from transforms.modalities.audio import AudioSpec
from transforms.modalities.base import ModalitySpec
from transforms.modalities.image import ImageSpec
from transforms.modalities.tabular import TabularSpec
from transforms.modalities.text import TextSpec
from transforms.recall import keys
from transforms.recall.keys import code_digest, content_keys, store_key


def test_a_key_is_the_beginning_of_the_sha256() -> None:
    """128 bits of it, as the bytes stand in memory; null has none."""
    found = content_keys(pa.array([b"one", None, b""], pa.binary()), 3)

    assert found.known.tolist() == [True, False, True]
    assert found.keys[0].tobytes() == hashlib.sha256(b"one").digest()[:16]
    assert found.keys[2].tobytes() == hashlib.sha256(b"").digest()[:16]


def test_slices_have_the_keys_of_their_own_values() -> None:
    """Offsets of a sliced array are respected."""
    values = pa.array([b"a", b"b", None, b"c"], pa.binary())

    assert np.array_equal(content_keys(values.slice(1, 3), 3).keys, content_keys(values, 4).keys[1:])


def test_values_without_bytes_at_hand_have_no_key() -> None:
    """A modality of numbers, say."""
    assert not content_keys(None, 4).known.any()


@pytest.mark.parametrize(
    ("spec", "values", "contents"),
    [
        (TextSpec(column="x"), pa.array(["ä", None]), ["ä".encode(), None]),
        (TextSpec(column="x"), pa.array(["ä", None], pa.large_string()), ["ä".encode(), None]),
        (TextSpec(column="x"), pa.array(["ä", None], pa.string_view()), ["ä".encode(), None]),
        (TextSpec(column="x"), pa.array(["ä", None]).dictionary_encode(), ["ä".encode(), None]),
        (TextSpec(column="x"), pa.array([b"\xff", None]), [b"\xff", None]),
        (ImageSpec(column="x"), pa.array([b"jpeg", None]), [b"jpeg", None]),
        (ImageSpec(column="x"), pa.array(["a/path.jpg"]), None),
        (
            ImageSpec(column="x"),
            pa.array([{"bytes": b"jpeg", "path": "p"}, {"bytes": None, "path": "p"}, None]),
            [b"jpeg", None, None],
        ),
        (AudioSpec(column="x"), pa.array([b"wav"], pa.large_binary()), [b"wav"]),
        (TabularSpec(numeric=("x",)), pa.array([1.0]), None),
    ],
    ids=str,
)
def test_content_is_what_alone_decides(
    spec: ModalitySpec, values: pa.Array, contents: list[bytes | None] | None
) -> None:
    """Bytes and texts; not a path, behind which other bytes may lie tomorrow, and not what is cheaper made anew."""
    found = spec.raw(spec.gather(pa.record_batch({"x": values})))

    assert (None if found is None else found.to_pylist()) == contents
    assert spec.has_raw(pa.schema([("x", values.type)])) == (contents is not None)


@pytest.mark.parametrize(
    ("spec", "encoder"),
    [
        (TextSpec(column="x"), HashedNgramsSpec()),
        (ImageSpec(column="x"), ImageHistogramsSpec()),
        (AudioSpec(column="x"), LogMelSpec()),
    ],
    ids=lambda spec: spec.kind,
)
def test_every_setting_counts(spec: ModalitySpec, encoder: EncoderSpec) -> None:
    """Changed one by one: each setting of cleaning and of encoding misses, but for those that change no number."""
    before = store_key(spec, encoder, "cpu")

    for name in type(spec).model_fields:
        changed = spec.model_construct(**{**dict(spec), name: _another(getattr(spec, name))})
        assert (store_key(changed, encoder, "cpu") == before) == (name in spec.unhashed), name
    for name in type(encoder).model_fields:
        other = encoder.model_construct(**{**dict(encoder), name: _another(getattr(encoder, name))})
        assert (store_key(spec, other, "cpu") == before) == (name in encoder.unhashed), name


def _another(value: object) -> object:
    """A value that is not this one."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    if isinstance(value, str):
        return f"{value}x"
    if isinstance(value, tuple):
        return (*value, "x") if not value else value[:-1]
    if isinstance(value, dict):
        return {**value, "n": NumberStatistics(count=1, mean=0.0, variance=1.0, quantiles={})}
    assert value is None, value
    return 30


def test_the_device_counts() -> None:
    """A GPU's numbers are others, and so may be its precision."""
    spec, encoder = TextSpec(column="x"), HashedNgramsSpec()

    assert store_key(spec, encoder, "cpu") != store_key(spec, encoder, "cuda")


def test_weights_count_by_their_content(tmp_path: Path) -> None:
    """Not by where they lie."""

    class Weighted(HashedNgramsSpec):
        """With a file."""

        def content(self) -> dict[str, str]:
            """Its hash."""
            return {"weights": hashlib.sha256((tmp_path / "weights").read_bytes()).hexdigest()}

    (tmp_path / "weights").write_bytes(b"old")
    before = store_key(TextSpec(column="x"), Weighted(), "cpu")
    (tmp_path / "weights").write_bytes(b"new")

    assert store_key(TextSpec(column="x"), Weighted(), "cpu") != before


@pytest.mark.parametrize(
    "change",
    [
        lambda patch: patch.setattr(metadata, "version", lambda _package: "0"),
        lambda patch: patch.setattr(keys, "code_digest", lambda: "other"),
        lambda patch: patch.setattr(platform, "machine", lambda: "riscv64"),
    ],
    ids=["versions", "code", "machine"],
)
def test_what_the_numbers_are_made_with_counts(
    change: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another Pillow may give another pixel, another line of a cleaner another text."""
    before = store_key(TextSpec(column="x"), HashedNgramsSpec(), "cpu")

    change(monkeypatch)

    assert store_key(TextSpec(column="x"), HashedNgramsSpec(), "cpu") != before


def test_the_code_is_that_of_all_cleaners_and_encoders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also of a folder that PYTHONPATH adds to the package."""
    import models.encoders

    before = code_digest.__wrapped__()
    (tmp_path / "added.py").write_text("x = 1\n")
    monkeypatch.setattr(models.encoders, "__path__", [*models.encoders.__path__, str(tmp_path)])

    assert code_digest.__wrapped__() != before
