"""Which records are damaged and how: planned in closed form, put in place of good values, and listed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import pyarrow as pa

from models.arrow import set_column
from pipelines.scenarios import breakage
from pipelines.scenarios.layout import Partition, customer_ids, visitors
from pipelines.scenarios.profile import CATEGORICAL, NUMERIC
from pipelines.scenarios.streams import Stream, generator
from pipelines.scenarios.visits import VISIT

BLOCK = 333  # one record of each block of so many is damaged: 0.3 %
KEY = "customer_id"
_OFFSET = 6  # sorts by which each partition starts later, so that a small data set shows most of them
_ROW, _KEY_OF, _VALUES = range(3)  # what a block's streams are drawn for

Effect: TypeAlias = Literal["masked", "kept", "quarantined"]
Replace: TypeAlias = Callable[[np.random.Generator], dict[str, pa.Array]]


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


@dataclass(frozen=True)
class Damage:
    """One damaged record: `row` of its partition."""

    row: int
    sort: Sort
    block: int
    key_of: int | None
    """The earlier row whose key a repeated key repeats."""


def _binary(column: str, make: Callable[[np.random.Generator], bytes]) -> Replace:
    return lambda rng: {column: pa.array([make(rng)], pa.binary())}


def _text(make: Callable[[np.random.Generator], bytes]) -> Replace:
    return lambda rng: {"review": strings([make(rng)])}


def strings(values: Sequence[bytes | None]) -> pa.StringArray:
    """A string column of these bytes, also where they are not UTF-8 (which `pa.array` refuses)."""
    binary = pa.array(values, pa.binary())
    return pa.StringArray.from_buffers(len(binary), binary.buffers()[1], binary.buffers()[2], binary.buffers()[0])


def _number(column: str, value: float) -> Replace:
    return lambda _: {column: pa.array([value], pa.float64())}


def _visits(count: int, amount: float) -> Replace:
    return lambda rng: {"visits": breakage.visits_of(count, amount, rng)}


def _nothing(_: np.random.Generator) -> dict[str, pa.Array]:
    numbers = {name: pa.nulls(1, pa.float64()) for name in NUMERIC}
    words = {name: pa.nulls(1, pa.string()) for name in ("review", *CATEGORICAL)}
    media = {name: pa.nulls(1, pa.binary()) for name in ("photo", "call")}
    return {**numbers, **words, **media, "visits": pa.nulls(1, pa.list_(VISIT))}


def _all_broken(rng: np.random.Generator) -> dict[str, pa.Array]:
    photo, call = breakage.random_bytes(rng), breakage.random_bytes(rng)
    return {**_nothing(rng), "photo": pa.array([photo], pa.binary()), "call": pa.array([call], pa.binary())}


def _key(value: str | None) -> Replace:
    return lambda _: {KEY: pa.array([value], pa.string())}


SORTS: tuple[Sort, ...] = (
    Sort("truncated_jpeg", "photo", "photo.decode_failed", "masked", _binary("photo", breakage.truncated_jpeg)),
    Sort("latin1_text", "review", "review.not_utf8", "masked", _text(breakage.latin1_text)),
    Sort("truncated_wav", "call", "call.length_mismatch", "kept", _binary("call", breakage.truncated_wav)),
    Sort("infinite_income", "income", "profile.non_finite", "kept", _number("income", np.inf)),
    Sort("nan_amounts", "visits", "visits.non_finite", "kept", _visits(12, np.nan)),
    Sort("key_null", KEY, "key.missing", "quarantined", _key(None)),
    Sort("key_repeated", KEY, "key.duplicate", "quarantined", _key("")),  # the key is filled in by `apply`
    Sort("html_page", "photo", "photo.decode_failed", "masked", _binary("photo", breakage.html_page)),
    Sort("blank_text", "review", "review.empty", "masked", _text(breakage.blank_text)),
    Sort("no_samples", "call", "call.empty", "masked", _binary("call", breakage.silent_header)),
    Sort("giant_png", "photo", "photo.too_large", "masked", _binary("photo", breakage.giant_png)),
    Sort("all_absent", None, "row.no_modality", "quarantined", _nothing),
    Sort("no_bytes", "photo", "photo.empty", "masked", _binary("photo", lambda _: b"")),
    Sort("cut_character", "review", "review.not_utf8", "masked", _text(breakage.cut_character)),
    Sort("nan_in_sound", "call", "call.non_finite", "kept", _binary("call", breakage.nan_sound)),
    Sort("nan_age", "age", "profile.non_finite", "kept", _number("age", np.nan)),
    Sort("no_visits", "visits", "visits.empty", "masked", _visits(0, 0.0)),
    Sort("key_empty", KEY, "key.missing", "quarantined", _key("")),
    Sort("random_bytes", "photo", "photo.decode_failed", "masked", _binary("photo", breakage.random_bytes)),
    Sort("endless_text", "review", "review.too_long", "kept", _text(breakage.endless_text)),
    Sort("text_for_sound", "call", "call.decode_failed", "masked", _binary("call", breakage.html_page)),
    Sort("pnm_picture", "photo", "photo.format_refused", "masked", _binary("photo", breakage.pnm_picture)),
    Sort("infinite_amounts", "visits", "visits.non_finite", "kept", _visits(9, -np.inf)),
    Sort("all_broken", None, "row.no_modality", "quarantined", _all_broken),
    Sort("jpeg_header", "photo", "photo.decode_failed", "masked", _binary("photo", breakage.header_without_pixels)),
    Sort("sound_of_no_bytes", "call", "call.empty", "masked", _binary("call", lambda _: b"")),
    Sort("endless_sound", "call", "call.too_long", "kept", _binary("call", breakage.endless_sound)),
    Sort("au_sound", "call", "call.format_refused", "masked", _binary("call", breakage.au_sound)),
    Sort("endless_visits", "visits", "visits.too_long", "kept", _visits(breakage.LONG_VISITS, 10.0)),
    Sort("all_nan_sound", "call", "call.non_finite", "masked", _binary("call", breakage.all_nan_sound)),
)  # fmt: skip
"""Neighbours differ much, so that also a small data set shows much."""

REPEATED = "key_repeated"


def sorts_of(partition: Partition) -> tuple[Sort, ...]:
    """What can happen in a partition: in the history a key names an episode, so keys are left alone there."""
    return tuple(sort for sort in SORTS if not (partition.is_history and sort.column == KEY))


def plan(seed: int, partition: Partition, start: int = 0, stop: int | None = None) -> Iterator[Damage]:
    """The damaged rows of a partition from `start` to `stop`, in order; draws nothing else."""
    stop = partition.rows if stop is None else stop
    sorts = sorts_of(partition)
    for block in range(start // BLOCK, -(-stop // BLOCK)):
        row = _row(seed, partition, block)
        if start <= row < stop:
            sort = sorts[(block + _OFFSET * partition.number) % len(sorts)]
            key_of = _earlier(seed, partition, block, row) if sort.name == REPEATED else None
            yield Damage(row, sort, block, key_of)


def _row(seed: int, partition: Partition, block: int) -> int:
    # Never the first row of a block: so the row before a damaged one is always a good one.
    return block * BLOCK + 1 + int(generator(seed, Stream.DAMAGE, partition.number, block, _ROW).integers(BLOCK - 1))


def _earlier(seed: int, partition: Partition, block: int, row: int) -> int:
    other = int(generator(seed, Stream.DAMAGE, partition.number, block, _KEY_OF).integers(row))
    return other - 1 if other == _row(seed, partition, other // BLOCK) else other


def apply(
    batch: pa.RecordBatch, damages: Sequence[Damage], first_row: int, seed: int, partition: Partition
) -> pa.RecordBatch:
    """The batch, which starts at `first_row` of its partition, with these damages in place of its values."""
    for damage in damages:
        values = damage.sort.replace(generator(seed, Stream.DAMAGE, partition.number, damage.block, _VALUES))
        if damage.key_of is not None:
            customer = visitors(seed, partition, np.array([damage.key_of])).customer
            values = {KEY: pa.array(customer_ids(customer))}
        for name, value in values.items():
            batch = set_column(batch, name, _with_value(batch.column(name), damage.row - first_row, value))
    return batch


def _with_value(array: pa.Array, index: int, value: pa.Array) -> pa.Array:
    return pa.concat_arrays([array[:index], value.cast(array.type), array[index + 1 :]])
