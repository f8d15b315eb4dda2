"""The sorts of damage that any scenario can have, with what a run must report for each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import pyarrow as pa

from pipelines.scenarios import breakage
from pipelines.scenarios.values import strings

Effect: TypeAlias = Literal["masked", "kept", "quarantined"]
Replace: TypeAlias = Callable[[np.random.Generator], dict[str, pa.Array]]
Make: TypeAlias = Callable[[np.random.Generator], bytes]

KEY_REPEATED = "key_repeated"


@dataclass(frozen=True)
class Sort:
    """One sort of damage."""

    name: str
    column: str | None
    """The damaged column; None where several are."""
    code: str
    """What a run must report: an issue code, or the reason of the quarantine."""
    effect: Effect
    """What becomes of it: the modality is masked, its usable part is kept, or the record is quarantined."""
    replace: Replace
    """Column -> its new value, an array of one."""


def _no_bytes(_: np.random.Generator) -> bytes:
    return b""


_IMAGES: Mapping[str, tuple[str, Effect, Make]] = {
    "truncated_jpeg": ("decode_failed", "masked", breakage.truncated_jpeg),
    "html_page": ("decode_failed", "masked", breakage.html_page),
    "giant_png": ("too_large", "masked", breakage.giant_png),
    "no_bytes": ("empty", "masked", _no_bytes),
    "random_bytes": ("decode_failed", "masked", breakage.random_bytes),
    "pnm_picture": ("format_refused", "masked", breakage.pnm_picture),
    "jpeg_header": ("decode_failed", "masked", breakage.header_without_pixels),
}
_TEXTS: Mapping[str, tuple[str, Effect, Make]] = {
    "latin1_text": ("not_utf8", "masked", breakage.latin1_text),
    "blank_text": ("empty", "masked", breakage.blank_text),
    "cut_character": ("not_utf8", "masked", breakage.cut_character),
    "endless_text": ("too_long", "kept", breakage.endless_text),
}
_SOUNDS: Mapping[str, tuple[str, Effect, Make]] = {
    "truncated_wav": ("length_mismatch", "kept", breakage.truncated_wav),
    "no_samples": ("empty", "masked", breakage.silent_header),
    "nan_in_sound": ("non_finite", "kept", breakage.nan_sound),
    "text_for_sound": ("decode_failed", "masked", breakage.html_page),
    "sound_of_no_bytes": ("empty", "masked", _no_bytes),
    "endless_sound": ("too_long", "kept", breakage.endless_sound),
    "au_sound": ("format_refused", "masked", breakage.au_sound),
    "all_nan_sound": ("non_finite", "masked", breakage.all_nan_sound),
}
_SERIES: Mapping[str, tuple[str, Effect, int, float]] = {
    "nan_series": ("non_finite", "kept", 12, np.nan),
    "no_events": ("empty", "masked", 0, 0.0),
    "infinite_series": ("non_finite", "kept", 9, -np.inf),
    "endless_series": ("too_long", "kept", breakage.LONG_SERIES, 10.0),
}
_KEYS: Mapping[str, tuple[str, str | None]] = {
    "key_null": ("key.missing", None),
    KEY_REPEATED: ("key.duplicate", ""),  # the key is filled in by `damage.apply`
    "key_empty": ("key.missing", ""),
}


def image(name: str, column: str) -> Sort:
    """A picture that cannot be read, or must not be; `name` is one of _IMAGES (a KeyError names another)."""
    code, effect, make = _IMAGES[name]
    return Sort(name, column, f"{column}.{code}", effect, lambda rng: {column: pa.array([make(rng)], pa.binary())})


def text(name: str, column: str) -> Sort:
    """A text that is none, or far too long; one of _TEXTS."""
    code, effect, make = _TEXTS[name]
    return Sort(name, column, f"{column}.{code}", effect, lambda rng: {column: strings([make(rng)])})


def sound(name: str, column: str) -> Sort:
    """A sound that cannot be read in full; one of _SOUNDS."""
    code, effect, make = _SOUNDS[name]
    return Sort(name, column, f"{column}.{code}", effect, lambda rng: {column: pa.array([make(rng)], pa.binary())})


def series(name: str, column: str, event: pa.StructType) -> Sort:
    """A series of `event`s that is empty, too long, or holds what is no number; one of _SERIES."""
    code, effect, count, value = _SERIES[name]
    return Sort(
        name, column, f"{column}.{code}", effect, lambda rng: {column: breakage.series_of(event, count, value, rng)}
    )


def number(name: str, column: str, modality: str, value: float) -> Sort:
    """A number (of a table) that is not finite."""
    return Sort(name, column, f"{modality}.non_finite", "kept", lambda _: {column: pa.array([value], pa.float64())})


def key(name: str, column: str) -> Sort:
    """A key that names no record, or another one's; one of _KEYS."""
    code, value = _KEYS[name]
    return Sort(name, column, code, "quarantined", lambda _: {column: pa.array([value], pa.string())})


def all_absent(columns: Sequence[str]) -> Sort:
    """A record of which nothing is there; `columns` are those of all modalities."""
    return Sort("all_absent", None, "row.no_modality", "quarantined", lambda _: _nothing(columns))


def all_broken(columns: Sequence[str], binary: Sequence[str]) -> Sort:
    """A record of which only these `binary` columns are there, and cannot be read."""

    def replace(rng: np.random.Generator) -> dict[str, pa.Array]:
        broken = {column: pa.array([breakage.random_bytes(rng)], pa.binary()) for column in binary}
        return {**_nothing(columns), **broken}

    return Sort("all_broken", None, "row.no_modality", "quarantined", replace)


def _nothing(columns: Sequence[str]) -> dict[str, pa.Array]:
    return {column: pa.nulls(1) for column in columns}
