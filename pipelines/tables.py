"""Tables for the command line, as plain text: the same in a terminal, a log file and a mail."""

from __future__ import annotations

import dataclasses
import inspect
import io
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from pydantic.fields import FieldInfo
from rich.box import Box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from models.spec import Spec
from pipelines import quantities
from pipelines.meter import rows_per_second
from transforms.ledger import UnitCounts
from transforms.sinks.base import Manifest

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    Row: TypeAlias = Mapping[str, Any] | DataclassInstance
Align: TypeAlias = Literal["left", "right"]

UNLIMITED = 10_000  # columns: wider than any row, so that nothing is wrapped in a log file
NARROWEST = 60  # columns that a table needs to be readable at all
INDENT = 2
# Whatever could move a terminal's cursor, colour it, or reverse the reading direction of what follows.
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
RULE_BELOW_HEAD = Box("    \n    \n ── \n    \n    \n    \n    \n    \n", ascii=False)


def table(
    headers: Sequence[str],
    rows: Sequence[Sequence[object]],
    align: Sequence[Align] | None = None,
    *,
    width: int | None = None,
    indent: int = 0,
) -> str:
    """Aligned columns below their headers, without colours and without trailing spaces.

    Args:
        headers: one for each column; all empty for a table without a head.
        rows: cells, shown as `cell` says.
        align: of each column; when not given, columns that hold only numbers are right-aligned.
        width: columns of the terminal, where the last column is wrapped; without it nothing is.
        indent: spaces before each line.
    """
    align = align or [_alignment([row[i] for row in rows]) for i in range(len(headers))]
    drawn = Table(box=RULE_BELOW_HEAD, show_edge=False, pad_edge=False, show_header=any(headers), padding=(0, 1))
    for index, (header, side) in enumerate(zip(headers, align, strict=True)):
        last = index == len(headers) - 1
        drawn.add_column(Text(header), justify=side, no_wrap=not last, overflow="fold")
    for row in rows:
        drawn.add_row(*(Text(cell(value)) for value in row))
    return _render(Padding(drawn, (0, 0, 0, indent), expand=False), width)


def cell(value: object) -> str:
    """A value as a table shows it: numbers humanised, pairs as `0.81 to 0.83`, control codes replaced."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return quantities.number(value)
    if isinstance(value, tuple) and len(value) == 2:
        return f"{cell(value[0])} to {cell(value[1])}"
    if isinstance(value, list | tuple | set | frozenset):
        return ", ".join(cell(item) for item in value)
    return CONTROL.sub("\ufffd", str(value))


def records(rows: Sequence[Row], *, titles: Mapping[str, str] | None = None, width: int | None = None) -> str:
    """A table of mappings or dataclasses: a column for each key, in the order of first sight."""
    mappings = [row if isinstance(row, Mapping) else dataclasses.asdict(row) for row in rows]
    names = list(dict.fromkeys(name for row in mappings for name in row))
    headers = [(titles or {}).get(name, name.replace("_", " ")) for name in names]
    return table(headers, [[row.get(name) for name in names] for row in mappings], width=width)


def evaluation(rows: Sequence[Row], *, width: int | None = None) -> str:
    """Held-out comparison: one line for each thing compared, one column for each metric."""
    return records(rows, width=width) if rows else "Nothing was evaluated: no head with a label has held-out rows."


def plan(rows: Sequence[Row], *, width: int | None = None) -> str:
    """What a run would do, line by line."""
    return records(rows, width=width) if rows else "Nothing to do."


def kinds(families: Mapping[str, Mapping[str, type[Spec[Any]]]], *, width: int | None = None) -> str:
    """Every kind of the given families with its one-line description and its settings."""
    return "\n\n".join(_family(name, specs, width) for name, specs in families.items())


def _family(name: str, specs: Mapping[str, type[Spec[Any]]], width: int | None) -> str:
    blocks = [_kind(kind, spec, width) for kind, spec in specs.items()]
    return "\n\n".join([name.upper(), *blocks]) if blocks else f"{name.upper()}\n\n  none"


def _kind(kind: str, spec: type[Spec[Any]], width: int | None) -> str:
    fields = {name: field for name, field in spec.model_fields.items() if name not in spec.derived}
    title = table(("", ""), [[kind, summary(spec)]], width=width, indent=INDENT)
    if not fields:
        return title
    rows = [[name, default_of(field), _one_line(field.description or "")] for name, field in fields.items()]
    return f"{title}\n{table(('', '', ''), rows, ('left', 'left', 'left'), width=width, indent=2 * INDENT)}"


def summary(spec: type[Spec[Any]]) -> str:
    """First sentence of a Spec's own docstring (not of one it inherits), or of its module's."""
    own = vars(spec).get("__doc__") or getattr(inspect.getmodule(spec), "__doc__", None) or ""
    return _one_line(own.strip().split("\n\n")[0])


def default_of(field: FieldInfo) -> str:
    """A setting's default as it would stand in a job file; `required` where there is none."""
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True, validated_data={})
    if isinstance(value, Spec):
        return str(value.settings()["kind"])
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(list(value)) if isinstance(value, tuple) else str(value)


def _one_line(text: str) -> str:
    return " ".join(text.split())


def runs(manifests: Sequence[Manifest], *, width: int | None = None) -> str:
    """The history of runs, newest date first."""
    if not manifests:
        return "No run yet."
    ordered = sorted(manifests, key=lambda manifest: (manifest.run.date, manifest.run.run_id), reverse=True)
    headers = ("run", "date", "read", "published", "quarantined", "time", "rows/s")
    align: list[Align] = ["left", "left", "right", "right", "right", "right", "right"]
    return table(headers, [_run_row(manifest) for manifest in ordered], align, width=width)


def _run_row(manifest: Manifest) -> list[object]:
    counts, seconds = manifest.ledger.total(), manifest.details.get("seconds")
    lost = counts.rows_quarantined
    share = f"{quantities.count(lost)} ({quantities.percent(lost, counts.rows_read)})"
    pace = rows_per_second(manifest.details)
    return [
        manifest.run.run_id,
        manifest.run.date,
        counts.rows_read,
        counts.rows_published,
        share,
        quantities.duration(seconds) if seconds else None,
        quantities.count(pace) if pace else None,
    ]


def ledger(manifest: Manifest, *, width: int | None = None) -> str:
    """One run's ledger: what was read, where it went, and what was wrong with it."""
    counts = manifest.ledger.total()
    blocks = [_facts(manifest, counts, width), _balance(counts, width)]
    if counts.rows_quarantined:
        blocks.append(_coded("quarantined", counts.quarantined, counts, width))
    if +counts.issues:
        blocks.append(_coded("issue", counts.issues, counts, width))
    if modalities := _modalities(counts, width):
        blocks.append(modalities)
    return "\n\n".join(blocks)


def _facts(manifest: Manifest, counts: UnitCounts, width: int | None) -> str:
    run, details = manifest.run, manifest.details
    size = sum(file.bytes for file in manifest.features)
    rows: list[list[object]] = [
        ["run", run.run_id],
        ["job", run.job],
        ["interval", f"{run.interval_start} to {run.interval_end}"],
        ["files", f"{quantities.count(len(manifest.features))}, {quantities.size(size)}"],
        ["read", quantities.size(counts.bytes_read)],
        ["time", quantities.duration(details["seconds"]) if "seconds" in details else None],
        ["workers", details.get("workers")],
        *(["policy", policy["told"]] for policy in details.get("policies", {}).values()),
        ["fingerprint", run.settings_fingerprint],
    ]
    return table(("", ""), [row for row in rows if row[1] is not None], width=width)


def _balance(counts: UnitCounts, width: int | None) -> str:
    parts = {
        "read": counts.rows_read,
        "published": counts.rows_published,
        "quarantined": counts.rows_quarantined,
    }
    rows = [[name, n, quantities.percent(n, counts.rows_read)] for name, n in parts.items()]
    return table(("ledger", "rows", "share"), rows, ("left", "right", "right"), width=width)


def _coded(title: str, codes: Mapping[str, int], counts: UnitCounts, width: int | None) -> str:
    ordered = sorted(((code, n) for code, n in codes.items() if n), key=lambda item: (-item[1], item[0]))
    rows = [
        [code, n, quantities.percent(n, counts.rows_read), counts.examples.get(code) or None] for code, n in ordered
    ]
    headers = (title, "rows", "share", "example key")
    return table(headers, rows, ("left", "right", "right", "left"), width=width)


def _modalities(counts: UnitCounts, width: int | None) -> str:
    columns = ("present", "absent", "masked", "encoded", "repeated", "recalled")
    counters = [getattr(counts, column) for column in columns]
    rows = [[name, *(counter[name] for counter in counters)] for name in sorted(set().union(*counters))]
    return table(("modality", *columns), rows, width=width) if rows else ""


def _alignment(values: Sequence[object]) -> Align:
    numbers = [isinstance(value, int | float) and not isinstance(value, bool) for value in values if value is not None]
    return "right" if numbers and all(numbers) else "left"


def _render(drawn: Padding, width: int | None) -> str:
    console = Console(
        file=io.StringIO(),
        width=UNLIMITED if width is None else max(width, NARROWEST),
        color_system=None,
        force_terminal=False,
        legacy_windows=False,
        _environ={},  # FORCE_COLOR and its like must not reach a log file
    )
    with console.capture() as captured:
        console.print(drawn)
    lines = [line.rstrip() for line in captured.get().splitlines()]
    return "\n".join(lines)
