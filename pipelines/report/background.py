"""What stands behind the numbers: settings, fingerprints, versions, columns, files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipelines import quantities
from pipelines.report import listing, plot
from pipelines.report.markup import Markup, element, join
from transforms.sinks.base import Manifest

MOST_FILES = 100  # lines of the table of files


def background(manifest: Manifest) -> Markup:
    """Everything that explains the numbers, folded away."""
    details = manifest.details
    prints = {
        "settings": manifest.run.settings_fingerprint,
        "input": manifest.run.input_fingerprint,
        **(details.get("fingerprints") or {}),
    }
    versions, settings, schema = (
        details.get("versions") or {},
        details.get("settings") or {},
        details.get("schema") or [],
    )
    kinds = {"modalities": details.get("modalities") or {}, "heads": details.get("heads") or {}}
    kept = ("precision", "tolerance", "fencing", "workers", "worker_restarts")
    run = {key: details[key] for key in kept if key in details}
    run["options"] = " ".join(details.get("options") or []) or "none"
    return join(
        [
            listing.folded(
                "Settings",
                "the job file",
                listing.as_yaml(settings) if settings else plot.note("Not recorded."),
            ),
            listing.folded("Run", str(details.get("workers", "")), listing.pairs({**run, **kinds})),
            listing.folded("Encoders", _encoders_summary(manifest), _encoders(manifest)),
            listing.folded("Fingerprints", manifest.run.settings_fingerprint[:12], listing.pairs(prints)),
            listing.folded("Versions", quantities.counted(len(versions), "package"), listing.pairs(versions)),
            listing.folded(
                "Columns",
                quantities.counted(len(schema), "column"),
                listing.table(
                    ("Column", "Type"), [[str(c), element("span", str(t), class_="mono")] for c, t in schema]
                ),
            ),
            listing.folded("Input", _input_summary(details), _input(details)),
            listing.folded("Files", _files_summary(manifest), _files(manifest)),
        ]
    )


def _encoders_summary(manifest: Manifest) -> str:
    counts = manifest.ledger.total()
    known = counts.recalled.total() + counts.repeated.total()
    return f"{quantities.count(counts.encoded.total())} values encoded, {quantities.count(known)} known"


def _encoders(manifest: Manifest) -> Markup:
    """How each encoder was run, and what kept it waiting."""
    counts, details = manifest.ledger.total(), manifest.details
    plans, usage = details.get("worker_plans") or {}, details.get("worker_usage") or {}
    headers = ("Modality", "Runs as", "Encoded", "Repeated", "Recalled", "Busy", "Waited", "Padding", "GPU")
    rows = []
    for name in sorted({*counts.encoded, *plans}):
        used = usage.get(name) or {}
        known = [quantities.count(counter[name]) for counter in (counts.encoded, counts.repeated, counts.recalled)]
        busy = quantities.duration(used["busy_seconds"]) if "busy_seconds" in used else "–"
        parts = [_part(used, key) for key in ("waiting", "padding", "gpu_utilization")]
        rows.append([name, str(plans.get(name, "–")), *known, busy, *parts])
    return listing.table(headers, rows, numbers=set(range(2, len(headers))))


def _part(used: Mapping[str, Any], key: str) -> str:
    return f"{used[key]:.1%}" if key in used else "–"


def _input_summary(details: Mapping[str, Any]) -> str:
    files, unverified = details.get("input_files") or {}, details.get("unverified_files") or ()
    known = quantities.counted(len(files), "file")
    return f"{known}, {len(unverified)} unverified" if unverified else known


def _input(details: Mapping[str, Any]) -> Markup:
    """What was read; without checksums in a file, damage that still decodes cannot have been seen."""
    files, unverified = details.get("input_files") or {}, set(details.get("unverified_files") or ())
    rows = [
        [
            name,
            quantities.count(file["rows"]),
            quantities.size(file["size"]),
            "unverified: pages without checksums" if name in unverified else "checksums of pages",
        ]
        for name, file in list(files.items())[:MOST_FILES]
    ]
    rest = len(files) - MOST_FILES
    more = f"and {quantities.count(rest)} more, in the manifest" if rest > 0 else None
    return listing.table(("File", "Rows", "Size", "Verified by"), rows, numbers={1, 2}, more=more)


def _files_summary(manifest: Manifest) -> str:
    files = (*manifest.features, *manifest.quarantine)
    return f"{quantities.counted(len(files), 'file')}, {quantities.size(sum(f.bytes for f in files))}"


def _files(manifest: Manifest) -> Markup:
    files = [*manifest.features, *manifest.quarantine]
    rows = [
        [
            f.name,
            quantities.count(f.rows),
            quantities.size(f.bytes),
            element("span", f.sha256[:16], class_="mono"),
        ]
        for f in files[:MOST_FILES]
    ]
    rest = len(files) - MOST_FILES
    more = f"and {quantities.count(rest)} more, in the manifest" if rest > 0 else None
    return listing.table(("File", "Rows", "Size", "SHA-256"), rows, numbers={1, 2}, more=more)
