"""Sounds: format allow-list, limits checked before decoding, mono, one rate, one loudness."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
import pyarrow as pa
from pydantic import Field

from models.arrow import Float32
from transforms.modalities._sound import decode
from transforms.modalities.base import Cleaned, Cleaner, IssueLog, ModalitySpec
from transforms.modalities.external import (
    EXTERNAL_CODES,
    AllowedRoots,
    Refused,
    Resolver,
    check_external,
    gather_external,
)

AudioFormat = Literal["wav", "flac", "ogg", "mp3", "aiff"]


TYPICAL_SECONDS = 5.0  # of voice notes and product sounds; longer ones are bounded by `execution.batch_bytes`


class AudioSpec(ModalitySpec):
    """A sound, as bytes, `{bytes, path}` or a path; cleaned to mono samples at one rate and loudness.

    Up to 8 channels are mixed by their mean. Issue codes that leave the value: `too_long` (cut),
    `length_mismatch` (the file holds less than it declares), `non_finite` (such samples are zero). Codes
    that mask it: `empty`, `too_large`, `format_refused`, `decode_failed`, `non_finite` where no sample is a
    number, and for values given by path `path_not_allowed`, `not_found`, `not_readable`.
    """

    kind = "audio"
    default_encoder = "log_mel"
    codes = (
        *EXTERNAL_CODES,
        *("format_refused", "decode_failed", "too_long", "length_mismatch", "non_finite"),
    )
    unhashed: ClassVar[frozenset[str]] = frozenset({"allowed_roots"})
    cleaning_seconds: ClassVar[float] = 1e-3

    column: str
    """The input column."""
    rate: int = Field(default=16_000, ge=1_000, le=192_000)
    """Samples per second after cleaning; an encoder may ask for another."""
    max_seconds: float = Field(default=30.0, gt=0, le=3_600)
    """Longest sound; what lies beyond is never decoded. 30 seconds are what speech models take (Whisper)."""
    max_bytes: int = Field(default=64 * 1024**2, ge=1)
    """Most bytes of a file. 64 MiB hold almost six minutes of uncompressed 16-bit stereo at 48 kHz."""
    formats: tuple[AudioFormat, ...] = Field(default=("wav", "flac", "ogg", "mp3", "aiff"), min_length=1)
    """Formats that may be decoded; the content decides, not the name."""
    loudness: float | None = Field(default=-20.0, ge=-60, le=0)
    """RMS in dB of full scale to which sounds are scaled, as far as their peak allows; null leaves it."""
    allowed_roots: AllowedRoots = ()
    """Folders or URIs under which sounds may be read by path; without any, paths are refused."""

    def input_columns(self) -> tuple[str, ...]:
        """The one column."""
        return (self.column,)

    def check_types(self, schema: pa.Schema) -> list[str]:
        """Whether the column holds bytes, `{bytes, path}` structs or paths."""
        return check_external(schema, self.column)

    def gather(self, batch: pa.RecordBatch) -> pa.Array:
        """The column as it is; nothing is read yet."""
        return gather_external(batch, self.column)

    def cleaned_type(self) -> pa.DataType:
        """list<float32>: mono samples, |x| <= 1."""
        return pa.list_(pa.float32())

    def cleaned_bytes(self) -> int:
        """Of a sound of TYPICAL_SECONDS."""
        return int(min(self.max_seconds, TYPICAL_SECONDS) * self.rate) * 4

    def build(self) -> Cleaner:
        """The cleaner."""
        return AudioCleaner(self)


class AudioCleaner:
    """Decodes sounds into one array."""

    def __init__(self, spec: AudioSpec) -> None:
        self.spec = spec
        self.resolve = Resolver(spec.allowed_roots, spec.max_bytes)

    def __call__(self, values: pa.Array) -> Cleaned:
        """Samples of n sounds; null where there is none."""
        log = IssueLog(len(values))
        sounds: list[Float32 | None] = [
            None if content is None else self._decode(content, row, log)
            for row, content in enumerate(self.resolve(values, log))
        ]
        offsets = np.cumsum([0, *(0 if sound is None else len(sound) for sound in sounds)])
        flat = np.concatenate([np.empty(0, np.float32), *(sound for sound in sounds if sound is not None)])
        absent = pa.array([sound is None for sound in sounds], pa.bool_())
        lists = pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), pa.array(flat), mask=absent)
        return Cleaned(lists, log.to_arrow())

    def _decode(self, content: memoryview, row: int, log: IssueLog) -> Float32 | None:
        spec = self.spec
        try:
            sound = decode(content, spec.formats, spec.max_seconds, spec.rate, spec.loudness)
        except Refused as refused:
            log.add(refused.code, row)
            return None
        for code in sound.codes:
            log.add(code, row)
        return sound.samples
