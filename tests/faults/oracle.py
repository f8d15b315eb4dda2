"""The one check after every fault: does what stands equal what an undisturbed run would have left? (V1 to V6)"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pyarrow.types as pt

from models.errors import AmalgamError
from pipelines.verify import verify
from tests.e2e.retail import DATE, bits, marked
from tests.faults.expected import NO_KEY, Expected, expected, texts
from tests.faults.readers import READERS, folder_of

LOST = "file.row_group"
"""Reason of a row that could not be read: it has a number, but no key."""
NAMED = 3  # examples in a message
WORKERS = ("pipelines.beam_worker", "sdk_worker_main", "raylet", "gcs_server", "ray::")
"""In the command line of every process that a run starts."""


def assert_sound(
    out: Path,
    inputs: Path,
    *,
    key: str,
    date: str = DATE,
    undisturbed: pa.Table | None = None,
    altered: Collection[str] = (),
    refused: Collection[str] = (),
    mark: str = "",
) -> None:
    """Check a published date by `verify` and, independently of it, from the input files.

    Args:
        out: the job's output folder.
        inputs: the date's input, a file or a folder of Parquet files.
        key: name of the key's column.
        date: UTC day, YYYY-MM-DD.
        undisturbed: published rows of a run without the fault; the same keys must stand, with bitwise equal values.
        altered: keys that may differ from `undisturbed`, or stand in only one of the two.
        refused: names of input files that the run was to leave out, beside those without a readable footer.
        mark: of the run's processes, as given to `tests.e2e.retail.start`; none of them may live.

    Raises:
        AssertionError: a line for each thing that is wrong, with the number of FAULTS.md's rule.
    """
    problems = [f"verify: {problem}" for problem in verify(out, date).problems]
    manifest = standing_manifest(out, date)
    if manifest is None:
        problems.append(f"V2: {folder_of(out, date)} must hold the files of one manifest; got those of none")
    else:
        problems += integrity(out, date, manifest)
    wanted = expected(inputs, key, refused)
    problems += left_out(wanted, manifest)
    try:
        published, quarantined = _published(out, date), _quarantined(out, date)
    except (OSError, pa.ArrowException) as error:
        problems.append(f"V2: every file must be readable; got {error}")
    else:
        problems += conservation(wanted, published, quarantined, key)
        problems += agreement(out, date, published, key)
        problems += [] if undisturbed is None else equality(published, undisturbed, key, altered)
        problems += finiteness(published)
    problems += leftovers(out, mark)
    assert not problems, "\n".join(problems)


def standing_manifest(out: Path, date: str) -> dict[str, Any] | None:
    """The manifest, as JSON, that lists most of the files that stand; None where none lists any."""
    folder = folder_of(out, date)
    visible = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    manifests = filter(None, map(_json, sorted(out.glob("runs/*/manifest.json"))))
    matching = [manifest for manifest in manifests if _names(manifest["features"]) & visible]
    return max(matching, key=lambda manifest: len(_names(manifest["features"]) & visible), default=None)


def _json(path: Path) -> dict[str, Any] | None:
    try:
        value: dict[str, Any] = json.loads(path.read_bytes())
    except ValueError:  # then no manifest is found, which is what the caller is told
        return None
    return value


def conservation(wanted: Expected, published: pa.Table, quarantined: pa.Table, key: str) -> Iterator[str]:
    """V1: every input row is published once or quarantined; nothing else is."""
    read = quarantined.filter(pc.not_equal(quarantined["reason"], LOST))
    out, removed = Counter(texts(published[key])), Counter(texts(read["key"]))
    lost = Counter(quarantined.filter(pc.equal(quarantined["reason"], LOST))["row"].to_pylist())
    if doubled := [k for k, n in out.items() if n > 1]:
        yield f"V1: a key must be published once; got more of {_some(doubled)}"
    if out[NO_KEY]:
        yield f"V1: a published row must have a key; got {out[NO_KEY]} without"
    both = [k for k, n in (out + removed).items() if out[k] and removed[k] and n > wanted.keys[k]]
    if both:
        yield f"V1: a row must be published or quarantined, not both; got both for {_some(both)}"
    if foreign := list(out + removed - wanted.keys):
        yield f"V1: the output must hold keys of the input alone; got {_some(foreign)}"
    surplus = lost - wanted.unreadable
    damaged = wanted.damaged() if surplus else Counter()
    if readable_rows := surplus - damaged:
        yield f"V1: a row that can be read must not be quarantined as {LOST}; got row {_some(readable_rows)}"
    if unaccounted := _without_lost_rows(wanted, wanted.keys - (out + removed), surplus & damaged):
        yield f"V1: every row must be published or quarantined; got neither for {_some(unaccounted)}"
    if unheard := wanted.unreadable - lost:
        yield f"V1: every unreadable row must be quarantined by its number; got none of row {_some(unheard)}"
    total = published.num_rows + quarantined.num_rows
    if total != wanted.rows:
        yield f"V1: published and quarantined rows must be the {wanted.rows} of the input; got {total}"


def _without_lost_rows(wanted: Expected, missing: Counter[str | None], lost: Counter[int]) -> Counter[str | None]:
    """What is missing, without the rows whose numbers were quarantined because another column could not be read."""
    remaining, lost = Counter(missing), Counter(lost)
    for key in missing:
        for number in wanted.places[key]:
            if remaining[key] and lost[number]:
                remaining[key] -= 1
                lost[number] -= 1
    return +remaining


def left_out(wanted: Expected, manifest: dict[str, Any] | None) -> Iterator[str]:
    """V1 for whole files: the manifest names those that were left out, and no others were."""
    named = set(manifest["details"].get("unusable_files", {})) if manifest else wanted.files_left_out
    if named != wanted.files_left_out:
        yield (
            f"V1: the manifest must name the unusable files {sorted(wanted.files_left_out)}; got {sorted(named)}; "
            "name files that are refused for another reason than their footer as `refused`"
        )


def integrity(out: Path, date: str, manifest: dict[str, Any]) -> Iterator[str]:
    """V2: the manifest's files are there as recorded, and nothing else is visible."""
    for kind in ("features", "quarantine"):
        folder = out / kind / f"date={date}"
        for record in manifest[kind]:
            yield from _file(folder / record["name"], record)
        listed = {folder / name for name in _names(manifest[kind])}
        stray = [path for path in sorted((out / kind).glob("*")) if not path.name.startswith("date=")]
        for path in sorted({*folder.rglob("*"), *stray} - listed):
            yield f"V2: {path} must not be visible; got a file that the manifest does not list"
    rows = sum(record["rows"] for kind in ("features", "quarantine") for record in manifest[kind])
    counted = manifest["ledger"]["total"]["rows_read"]
    if rows != counted:
        yield f"V2: the manifest's files must hold the {counted} rows of its ledger; got {rows}"


def _file(path: Path, record: dict[str, Any]) -> Iterator[str]:
    if not path.is_file():
        yield f"V2: {path} must exist; got no such file"
        return
    content = path.read_bytes()
    if (digest := hashlib.sha256(content).hexdigest()) != record["sha256"]:
        yield f"V2: {path} must have the sha256 {record['sha256']}; got {digest}"
        return
    if (rows := pq.read_metadata(pa.BufferReader(content)).num_rows) != record["rows"]:
        yield f"V2: {path} must have {record['rows']} rows; got {rows}"


def agreement(out: Path, date: str, published: pa.Table, key: str) -> Iterator[str]:
    """V3: every reader sees the same keys and as many rows."""
    keys = sorted(texts(published[key]), key=str)
    for name, read in READERS.items():
        try:
            theirs = sorted(texts(read(out, date, [key])[key]), key=str)
        except (OSError, pa.ArrowException, AmalgamError) as error:
            yield f"V3: {name} must read the {len(keys)} published rows; got {error}"
            continue
        if theirs != keys:
            yield f"V3: {name} must read the {len(keys)} published rows; got {len(theirs)} rows, or other keys"


def equality(published: pa.Table, undisturbed: pa.Table, key: str, altered: Collection[str]) -> Iterator[str]:
    """V4: the values of each key are those of an undisturbed run, bit by bit."""
    got, wanted = (_of_others(table, key, altered) for table in (published, undisturbed))
    if not got.schema.equals(wanted.schema):
        yield f"V4: the schema must be that of an undisturbed run,\n{wanted.schema}\ngot\n{got.schema}"
        return
    if got[key].to_pylist() != wanted[key].to_pylist():
        differing = set(got[key].to_pylist()) ^ set(wanted[key].to_pylist())
        yield f"V4: the keys must be those of an undisturbed run; got a difference in {_some(differing)}"
        return
    for name in got.column_names:
        if list(bits(got[name])) != list(bits(wanted[name])):
            pairs = zip(*(table.select([key, name]).to_pylist() for table in (got, wanted)), strict=True)
            keys = [row[key] for row, other in pairs if str(row) != str(other)]
            yield f"V4: column {name!r} must equal an undisturbed run's bit by bit; got others for {_some(keys)}"


def finiteness(published: pa.Table) -> Iterator[str]:
    """V5: numbers are finite, vectors as long as they say, and zero where masked. (No kind declares a norm.)"""
    for field in published.schema:
        column = published[field.name].combine_chunks()
        values = column.flatten() if pt.is_list(column.type) else column
        if pt.is_floating(values.type) and not np.isfinite(values.to_numpy(zero_copy_only=False)).all():
            yield f"V5: column {field.name!r} must hold finite numbers; got NaN or infinity"
        if b"amalgam.dim" in (field.metadata or {}):
            dim = int(field.metadata[b"amalgam.dim"])
            if set(pc.list_value_length(column).to_pylist()) - {dim}:
                yield f"V5: column {field.name!r} must hold lists of length {dim}; got other lengths"
            elif field.name.startswith("emb_"):
                yield from _masked(published, field.name, values.to_numpy(zero_copy_only=False).reshape(-1, dim))


def _masked(published: pa.Table, name: str, vectors: np.ndarray[Any, np.dtype[np.float32]]) -> Iterator[str]:
    has = published[name.replace("emb_", "has_", 1)].to_numpy()
    if vectors[~has.astype(bool)].any():  # [n, dim]
        yield f"V5: column {name!r} must be zero where its mask is false; got other numbers"


def leftovers(out: Path, mark: str = "") -> Iterator[str]:
    """V6: no lease is held, staging is empty, every version is linked to, and no process of a run lives."""
    staging, linked = out / "staging", {link.resolve() for link in out.glob("*/date=*")}
    for path in sorted(out.glob("versions/date=*/*/*")):
        if path.resolve() not in linked:
            yield f"V6: {path} must go, because no link leads there; got it still"
    for path in sorted(staging.iterdir()) if staging.is_dir() else []:
        if path.name != "leases":
            yield f"V6: staging must be empty; got {path}"
    for path in sorted(staging.glob("leases/*.json")):
        record = json.loads(path.read_bytes())
        if not record["released"]:
            yield f"V6: {path} must be released; got a lease held by {record['owner']}"
    for process in [*_workers_of_this_process(), *(marked(mark) if mark else [])]:
        yield f"V6: no process of a run may live; got {process}"


def _workers_of_this_process() -> Iterator[psutil.Process]:
    for process in psutil.Process().children(recursive=True):
        try:
            command = " ".join(process.cmdline())
        except (psutil.NoSuchProcess, psutil.ZombieProcess):  # ended meanwhile
            continue
        if any(word in command for word in WORKERS):
            yield process


def _published(out: Path, date: str) -> pa.Table:
    paths = sorted(folder_of(out, date).glob("*.parquet"))
    return pa.concat_tables([pq.ParquetFile(path, page_checksum_verification=True).read() for path in paths])


def _quarantined(out: Path, date: str) -> pa.Table:
    columns = pa.schema([("key", pa.string()), ("reason", pa.string()), ("row", pa.int64())])
    paths = sorted((out / "quarantine" / f"date={date}").glob("*.parquet"))
    tables = [pq.ParquetFile(path).read(columns=columns.names).cast(columns) for path in paths]
    return pa.concat_tables([columns.empty_table(), *tables])


def _names(records: list[dict[str, Any]]) -> set[str]:
    return {record["name"] for record in records}


def _of_others(table: pa.Table, key: str, altered: Collection[str]) -> pa.Table:
    keys = pa.array([value not in set(altered) for value in texts(table[key])], pa.bool_())
    return table.filter(keys).sort_by(key)


def _some(values: Collection[object]) -> str:
    listed = ", ".join(repr(value) for value in sorted(values, key=str)[:NAMED])
    return listed if len(values) <= NAMED else f"{listed} and {len(values) - NAMED} more"
