"""The audio cleaner: one rate, one loudness, limits, and what a column may hold. (Odd sounds and bombs: F38.)"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.arrow import Float32
from tests.transforms.modalities.sounds import encode, tone
from transforms.modalities.audio import AudioSpec
from transforms.modalities.base import Cleaned

SPEC = AudioSpec(column="call")


def clean(*values: bytes | None, spec: AudioSpec = SPEC) -> Cleaned:
    """The values cleaned as one array."""
    return spec.build()(pa.array(values, pa.binary()))


def clean_one(value: bytes, spec: AudioSpec = SPEC) -> tuple[Float32 | None, list[str]]:
    """One value's samples and issue codes."""
    cleaned = clean(value, spec=spec)
    samples = cleaned.values[0].values
    return (None if samples is None else samples.to_numpy()), cleaned.issues[0].as_py()


WAV = encode(tone(16_000), 16_000)
FLAC = encode(tone(16_000), 16_000, "FLAC")
MP3 = encode(tone(16_000, 2.0), 16_000, "MP3")
OGG = encode(tone(16_000), 16_000, "OGG")


def test_mp3_cut_in_half_keeps_its_first_half() -> None:
    """MP3 frames are independent: what was decoded stays, and the difference is told."""
    samples, codes = clean_one(MP3[: len(MP3) // 2])
    assert codes == ["length_mismatch"]
    assert samples is not None
    assert 0.5 < len(samples) / 16_000 < 1.5


def test_channels_are_mixed_by_their_mean() -> None:
    """(0.5 + 0.25 - 0.75 + 1) / 4 = 0.25, exactly."""
    quad = np.tile(np.array([0.5, 0.25, -0.75, 1.0], np.float32), (100, 1))
    samples, codes = clean_one(encode(quad, 16_000, "WAV", "FLOAT"), AudioSpec(column="call", loudness=None))
    assert codes == []
    assert samples is not None
    assert set(samples.tolist()) == {0.25}


def test_silence_stays_silent() -> None:
    """Nothing is divided by the loudness of nothing."""
    samples, codes = clean_one(encode(np.zeros((1_000, 2), np.float32), 44_100))
    assert codes == []
    assert samples is not None
    assert not samples.any()


def test_silence_and_what_is_nearly_silent_is_not_amplified() -> None:
    """The noise of one 16-bit step (-90 dBFS) stays below the gate of -70 dBFS."""
    noise = np.random.default_rng(0).integers(-1, 2, (8_000, 1)) / 2**15
    samples, _ = clean_one(encode(noise.astype(np.float32), 16_000))
    assert samples is not None
    assert np.abs(samples).max() == 2**-15


def test_peaks_limit_the_gain() -> None:
    """Two clicks in silence: RMS is about -35 dBFS, but a gain above 2 would cut the louder one."""
    clicks = np.zeros((1_000, 1), np.float32)
    clicks[500:502, 0] = 0.5, 0.25
    samples, _ = clean_one(encode(clicks, 16_000, "WAV", "FLOAT"))
    assert samples is not None
    assert samples[500:502].tolist() == [1.0, 0.5]
    assert np.count_nonzero(samples) == 2


def test_loudness_can_be_left_as_it_is() -> None:
    """`loudness: null` hands on the very samples of the file."""
    spec = AudioSpec(column="call", loudness=None)
    samples, _ = clean_one(encode(tone(16_000), 16_000, "WAV", "FLOAT"), spec)
    assert samples is not None
    np.testing.assert_array_equal(samples, tone(16_000)[:, 0])


def test_cleaning_again_changes_nothing() -> None:
    """What was cleaned, written as a file and cleaned again, is the same to float32's rounding."""
    once, _ = clean_one(encode(tone(44_100), 44_100))
    assert once is not None
    twice, codes = clean_one(encode(once[:, None], 16_000, "WAV", "FLOAT"))
    assert codes == []
    assert twice is not None
    assert np.abs(twice - once).max() < 1e-6


def test_rows_keep_their_places_also_in_slices() -> None:
    """Null, bad and good values stand where they stood, and a slice is cleaned as if it stood alone."""
    values = pa.array([None, b"bad", WAV, None, FLAC], pa.binary())
    whole = SPEC.build()(values)
    part = SPEC.build()(values.slice(1, 3))
    assert whole.values.is_valid().to_pylist() == [False, False, True, False, True]
    assert whole.issues.to_pylist() == [[], ["decode_failed"], [], [], []]
    assert part.values.equals(whole.values.slice(1, 3))
    assert part.issues.equals(whole.issues.slice(1, 3))


def test_no_values() -> None:
    """An empty batch gives an empty array of the promised type."""
    cleaned = clean()
    assert (len(cleaned.values), cleaned.values.type) == (0, SPEC.cleaned_type())


@pytest.mark.parametrize("column_type", [pa.binary(), pa.large_binary(), pa.struct({"bytes": pa.binary()})])
def test_layouts_of_the_column(column_type: pa.DataType) -> None:
    """Plain and large binary, and the `{bytes, path}` structs of Hugging Face's datasets."""
    value = {"bytes": WAV} if pa.types.is_struct(column_type) else WAV
    batch = pa.record_batch({"call": pa.array([value, None], column_type)})
    assert SPEC.check_types(batch.schema) == []
    assert SPEC.build()(SPEC.gather(batch)).values.is_valid().to_pylist() == [True, False]


def test_paths_need_an_allowed_root(tmp_path: Path) -> None:
    """A path is read under an allowed root, and refused elsewhere."""
    (tmp_path / "a.wav").write_bytes(WAV)
    paths = pa.array([str(tmp_path / "a.wav")])
    allowed = AudioSpec(column="call", allowed_roots=(str(tmp_path),))
    assert allowed.build()(paths).values.null_count == 0
    assert SPEC.build()(paths).issues.to_pylist() == [["path_not_allowed"]]


def test_a_format_can_be_refused() -> None:
    """With WAV alone allowed, a good FLAC file is not decoded."""
    assert clean_one(FLAC, AudioSpec(column="call", formats=("wav",))) == (None, ["format_refused"])


def test_files_over_the_byte_limit_are_refused() -> None:
    """The limit is checked before anything is parsed."""
    assert clean_one(WAV, AudioSpec(column="call", max_bytes=len(WAV) - 1)) == (None, ["too_large"])


def test_wrong_column_types_are_named() -> None:
    """One sentence with column, what it may be, and what it is."""
    [problem] = SPEC.check_types(pa.schema({"call": pa.int64()}))
    assert "'call'" in problem
    assert "int64" in problem


@settings(deadline=None)
@given(st.binary(max_size=200), st.sampled_from([b"", WAV[:60], FLAC[:60], OGG[:60], MP3[:60], b"RIFF\0\0\0\0WAVE"]))
def test_arbitrary_bytes_never_raise(tail: bytes, head: bytes) -> None:
    """Any bytes, also behind a good beginning, are cleaned or masked with a code."""
    samples, codes = clean_one(head + tail)
    assert samples is not None or codes


@settings(deadline=None)
@given(st.data())
def test_damaged_files_never_raise(data: st.DataObject) -> None:
    """Good files with a few bytes overwritten are cleaned or masked, and what comes out is finite."""
    content = bytearray(data.draw(st.sampled_from([WAV, FLAC, OGG])))
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=5)):
        content[place] = data.draw(st.integers(0, 255))
    samples, codes = clean_one(bytes(content))
    assert samples is not None or codes
    assert samples is None or (np.isfinite(samples).all() and np.abs(samples).max() <= 1)
