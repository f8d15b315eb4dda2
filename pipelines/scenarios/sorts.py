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


@dataclass(frozen=True)
class Columns:
    """Where a record of five modalities keeps what can be damaged."""

    key: str
    image: str
    text: str
    sound: str
    series: str
    event: pa.StructType
    """What a series consists of."""
    table: str
    """Name of the modality that has no column of its own."""
    fields: Sequence[str]
    """The table's columns."""
    infinite: tuple[str, str]
    """Name of a sort, and the table's number that it makes infinite."""
    nan: tuple[str, str]
    """The same, with NaN."""

    @property
    def all(self) -> tuple[str, ...]:
        """The columns of all modalities."""
        return (self.image, self.text, self.sound, *self.fields, self.series)


def usual(of: Columns, images: Sequence[str] = tuple(_IMAGES)) -> tuple[Sort, ...]:
    """Thirty sorts; neighbours differ much, so that also a small data set shows much.

    Args:
        of: the columns.
        images: all of _IMAGES, in the order in which their turns come.
    """
    picture = iter([image(name, of.image) for name in images])
    infinite, nan = (
        number(name, column, of.table, value) for (name, column), value in ((of.infinite, np.inf), (of.nan, np.nan))
    )
    return (
        next(picture),
        text("latin1_text", of.text),
        sound("truncated_wav", of.sound),
        infinite,
        series("nan_series", of.series, of.event),
        key("key_null", of.key),
        key(KEY_REPEATED, of.key),
        next(picture),
        text("blank_text", of.text),
        sound("no_samples", of.sound),
        next(picture),
        all_absent(of.all),
        next(picture),
        text("cut_character", of.text),
        sound("nan_in_sound", of.sound),
        nan,
        series("no_events", of.series, of.event),
        key("key_empty", of.key),
        next(picture),
        text("endless_text", of.text),
        sound("text_for_sound", of.sound),
        next(picture),
        series("infinite_series", of.series, of.event),
        all_broken(of.all, (of.image, of.sound)),
        next(picture),
        sound("sound_of_no_bytes", of.sound),
        sound("endless_sound", of.sound),
        sound("au_sound", of.sound),
        series("endless_series", of.series, of.event),
        sound("all_nan_sound", of.sound),
    )
