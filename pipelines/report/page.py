"""The page: which section stands where, and what it is called."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipelines import quantities
from pipelines.meter import rows_per_second
from pipelines.report import bars, histogram, learning, listing, pace, plot, scatter
from pipelines.report.background import background
from pipelines.report.document import card, document
from pipelines.report.flow import flow
from pipelines.report.markup import Markup, element, join
from pipelines.report.sample import Sample
from transforms.ledger import UnitCounts
from transforms.sinks.base import Manifest

MOST_HISTOGRAMS = 12  # four rows of three; further heads and classes are named below them


def page(manifest: Manifest, sample: Sample) -> Markup:
    """The whole document."""
    counts, details = manifest.ledger.total(), manifest.details
    names = bars.modality_names(counts, sample.has)
    sections = [
        card(12, "Where the rows went", "Rows read = rows published + rows quarantined.", flow(counts)),
        card(6, "Modalities", "Of the published rows.", bars.presence(names, counts)),
        card(
            6,
            "Weight in the fused vector",
            "Mean share of each modality; whiskers hold nine rows in ten.",
            bars.weights(names, sample.shares, sample.has),
        ),
        _scores(sample),
        card(
            7,
            "Map of fused",
            "Rows that lie close together have similar fused vectors.",
            scatter.fused_map(sample),
        ),
        _pace(counts, details),
        card(
            12,
            "Issues",
            "Values that were masked, cut or repaired, in all rows that were read.",
            _issues(counts),
            long=True,
        ),
        _quarantine(counts),
        *learning.sections(details.get("labels") or {}, _deciding(details)),
        card(12, "Behind the numbers", None, background(manifest), long=True),
    ]
    grid = element("div", *(section for section in sections if section), class_="grid")
    return document(
        f"{manifest.run.job} · {manifest.run.date}",
        join([_header(manifest, counts), _key_figures(counts, details), grid, _footer(manifest)]),
    )


def _deciding(details: Mapping[str, Any]) -> dict[str, list[Mapping[str, Any]]]:
    """Head -> the policy that decided, as far as its card was recorded."""
    recorded = {name: of for name, of in (details.get("policies") or {}).items() if "off_policy" in of}
    return {name: [{"which": "published", "history": [], **of}] for name, of in recorded.items()}


def _header(manifest: Manifest, counts: UnitCounts) -> Markup:
    run = manifest.run
    balanced = counts.rows_read == counts.rows_published + counts.rows_quarantined
    badge = element(
        "span",
        "Published" if balanced else "Does not balance",
        class_=f"badge {'good' if balanced else 'lost'}",
    )
    title = element("h1", run.job, " ", element("span", run.date, class_="dim"))
    interval = f"{run.interval_start} to {run.interval_end}"
    facts = element("div", element("span", run.run_id), element("span", interval), class_="run mono")
    return element("header", element("div", element("p", "Amalgam run report", class_="eyebrow"), title, facts), badge)


def _key_figures(counts: UnitCounts, details: Mapping[str, Any]) -> Markup:
    units, seconds = details.get("units") or {}, details.get("seconds")
    resumed = units.get("resumed")
    figures: list[tuple[str, str, str | None]] = [
        (
            "Rows published",
            quantities.count(counts.rows_published),
            f"of {quantities.count(counts.rows_read)} read",
        ),
        (
            "Quarantined",
            quantities.count(counts.rows_quarantined),
            quantities.percent(counts.rows_quarantined, counts.rows_read),
        ),
        (
            "Time",
            quantities.duration(seconds) if seconds else "–",
            f"{quantities.size(counts.bytes_read)} read",
        ),
        ("Rows per second", _pace_figure(details), None),
        (
            "Units",
            quantities.count(units["done"]) if "done" in units else "–",
            f"{quantities.count(resumed)} resumed" if resumed else None,
        ),
    ]
    if restarts := details.get("worker_restarts"):
        figures.append(("Worker restarts", quantities.count(restarts), "died and started again"))
    boxes = (
        element("div", element("span", name, class_="what"), element("b", value), element("span", under or ""))
        for name, value, under in figures
    )
    return element("section", *boxes, class_="card key", aria_label="Key figures", style="margin-bottom:16px")


def _pace_figure(details: Mapping[str, Any]) -> str:
    pace = rows_per_second(details)
    return "–" if pace is None else quantities.count(pace)


def _scores(sample: Sample) -> Markup | None:
    panels = histogram.panels(sample)
    if not panels:
        return None
    shown = (
        element("div", element("h3", title), histogram.histogram(title, values))
        for title, values in panels[:MOST_HISTOGRAMS]
    )
    more = len(panels) - MOST_HISTOGRAMS
    rest = element("p", f"and {more} more", class_="note") if more > 0 else None
    return card(12, "Scores", "Dashed line: the median.", element("div", *shown, class_="small"), rest)


def _pace(counts: UnitCounts, details: Mapping[str, Any]) -> Markup:
    drawn = pace.throughput(details.get("throughput") or [])
    return element(
        "div",
        card(12, "Pace", "Rows per second over the run.", element("div", drawn, class_="paced")),
        card(12, "Time by stage", "Added over processes.", bars.stages(counts.seconds)),
        class_="w5 stack",
    )


def _issues(counts: UnitCounts) -> Markup:
    return (
        listing.codes(counts.issues, counts, "masked")
        if +counts.issues
        else plot.note("None: every value could be used as it was.")
    )


def _quarantine(counts: UnitCounts) -> Markup | None:
    if not counts.rows_quarantined:
        return None
    return card(
        12,
        "Quarantine",
        "Rows that were not published, kept whole for redrive.",
        listing.codes(counts.quarantined, counts, "lost"),
        long=True,
    )


def _footer(manifest: Manifest) -> Markup:
    version = (manifest.details.get("versions") or {}).get("amalgam")
    by = f"Amalgam {version}" if version else "Amalgam"
    return element("footer", f"Written by {by}. The same numbers for programs stand in manifest.json beside this page.")
