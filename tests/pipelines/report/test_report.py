"""Tests of the whole page, for ordinary runs, odd ones, and hostile ones."""

from __future__ import annotations

import dataclasses
import json
import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from pipelines.report import write_report
from pipelines.report.listing import MOST_ROWS
from pipelines.report.markup import VOID
from tests.pipelines.report.published import DETAILS, RUN, counts, manifest, rows, write
from transforms.sinks.base import Manifest

ATTACK = '"><script>alert(1)</script><img src=x onerror=alert(1)>\x00\x1b[31m\u202e\ud800'


class Outline(HTMLParser):
    """Collects elements and text, and checks that every element is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: Counter[str] = Counter()
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self._open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements[tag] += 1
        self.attributes += attrs
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def outline(page: str) -> Outline:
    """The parsed page."""
    parsed = Outline()
    parsed.feed(page)
    parsed.close()
    return parsed


def report(record: Manifest, folder: Path) -> str:
    """The page of a run, as written."""
    target = folder / "report.html"
    write_report(record, folder, target)
    return target.read_text(encoding="utf-8")


def test_the_key_figures_are_there(tmp_path: Path) -> None:
    """Job, date, rows, time and pace stand in the page as people read them."""
    write(rows(200), tmp_path)
    text = outline(report(manifest(counts(12_345, quarantined={"key.missing": 45})), tmp_path)).text
    for expected in ("retail 2026-11-23", "12,300", "of 12,345 read", "1 min 20 s", "3.4 MB read", "1 resumed"):
        assert expected in text


def test_workers_that_died_and_input_without_checksums_are_told(tmp_path: Path) -> None:
    """What went wrong on the way, and what nobody can vouch for."""
    write(rows(10), tmp_path)
    files = {
        "a.parquet": {"size": 1_000, "rows": 10, "footer_sha256": "0" * 64},
        "b.parquet": {"size": 2_000, "rows": 20, "footer_sha256": "1" * 64},
    }
    details = {**DETAILS, "worker_restarts": 20, "input_files": files, "unverified_files": ["b.parquet"]}

    text = outline(report(manifest(counts(30), details), tmp_path)).text

    for expected in ("Worker restarts", "died and started again", "2 files, 1 unverified", "pages without checksums"):
        assert expected in text


def test_the_page_needs_nothing_else(tmp_path: Path) -> None:
    """No script, no link, no image, no address: the page loads nothing and runs nothing."""
    write(rows(200), tmp_path)
    page = report(manifest(counts(200)), tmp_path)
    parsed = outline(page)
    assert not {"script", "link", "img", "iframe", "object"} & set(parsed.elements)
    assert not re.search(r"https?://|url\(|@import", page)
    assert any((value or "").startswith("default-src 'none'") for name, value in parsed.attributes if name == "content")


def test_the_same_run_gives_the_same_page(tmp_path: Path) -> None:
    """Byte by byte, whatever the time of day."""
    write(rows(300), tmp_path)
    record = manifest(counts(300))
    assert report(record, tmp_path) == report(record, tmp_path)


def test_hostile_names_and_keys_stay_text(tmp_path: Path) -> None:
    """Markup in keys, codes, heads, modalities, settings and versions is shown and never interpreted."""
    safe = ATTACK.rstrip("\ud800")
    write(rows(50, modalities=(safe.replace("\x00", ""),), heads={safe.replace("\x00", ""): 3}), tmp_path)
    total = counts(60, issues={ATTACK: 2}, quarantined={ATTACK: 10})
    total.examples = {ATTACK: ATTACK * 20}
    details = {**DETAILS, "versions": {ATTACK: ATTACK}, "settings": {safe: [safe]}, "workers": ATTACK}
    record = dataclasses.replace(manifest(total, details), run=dataclasses.replace(RUN, job=ATTACK))
    parsed = outline(report(record, tmp_path))
    assert not {"script", "img"} & set(parsed.elements)
    assert not [name for name, _ in parsed.attributes if name.startswith("on")]
    assert "<script>alert(1)</script>" in parsed.text


@pytest.mark.parametrize("n", [0, 1, 2])
def test_few_rows(tmp_path: Path, n: int) -> None:
    """A night of no, one or two rows has a page without a warning."""
    write(rows(n), tmp_path, parts=1)
    assert "Published" in report(manifest(counts(n)), tmp_path)


def test_no_parts_at_all(tmp_path: Path) -> None:
    """A night whose rows were all quarantined has a page."""
    page = report(manifest(counts(5, quarantined={"row.no_modality": 5})), tmp_path)
    assert "No published rows." in page


def test_one_modality_and_no_heads(tmp_path: Path) -> None:
    """Without heads there are no histograms, and the map has one colour."""
    write(rows(100, modalities=("photo",), heads={}), tmp_path)
    page = report(manifest(counts(100)), tmp_path)
    assert "<h2>Scores</h2>" not in page
    assert 'class="dot accent"' in page


def test_no_variance(tmp_path: Path) -> None:
    """Equal fused vectors are said to be equal."""
    write(rows(100, fused=np.ones((100, 4), np.float32)), tmp_path)
    assert "There is nothing to map" in report(manifest(counts(100)), tmp_path)


def test_an_older_manifest(tmp_path: Path) -> None:
    """Every detail may be missing."""
    write(rows(10), tmp_path)
    assert "Not recorded." in report(manifest(counts(10), {}), tmp_path)


@pytest.mark.parametrize("missing", sorted(DETAILS))
def test_each_detail_may_be_missing(tmp_path: Path, missing: str) -> None:
    """One detail less is one figure less, not an error."""
    write(rows(10), tmp_path)
    details = {name: value for name, value in DETAILS.items() if name != missing}
    assert "Published" in report(manifest(counts(10), details), tmp_path)


def test_many_classes_are_capped(tmp_path: Path) -> None:
    """Twelve histograms are drawn, and the number of the others is told."""
    write(rows(50, heads={"segment": 40}), tmp_path)
    page = report(manifest(counts(50)), tmp_path)
    assert page.count('aria-label="Histogram of') == 12
    assert "and 28 more" in page


def test_many_issues_are_capped(tmp_path: Path) -> None:
    """The table ends after its most frequent codes with the number of codes and rows left out."""
    issues = {f"photo.code_{i:03d}": 1 for i in range(MOST_ROWS + 975)}
    write(rows(10), tmp_path)
    page = report(manifest(counts(2000, issues=issues)), tmp_path)
    assert page.count(">photo.code_") == MOST_ROWS
    assert "and 975 more with 975 rows, in the manifest" in page


def test_a_run_that_does_not_balance_says_so(tmp_path: Path) -> None:
    """The verdict follows the ledger."""
    total = dataclasses.replace(counts(10), rows_read=11)
    assert "Does not balance" in report(manifest(total), tmp_path)


def test_figures_have_labels(tmp_path: Path) -> None:
    """Every drawing is announced to those who cannot see it."""
    write(rows(100, heads={"churn": 1, "segment": 3}), tmp_path)
    page = report(manifest(counts(100, quarantined={"key.missing": 1})), tmp_path)
    drawings = re.findall(r"<svg[^>]*>", page)
    assert drawings
    assert all('role="img"' in svg and "aria-label=" in svg for svg in drawings)


def test_a_full_sample_stays_small(tmp_path: Path) -> None:
    """5,000 dots in six colourings and all histograms stay below 2 MB."""
    write(rows(5000, heads={f"head{i}": 1 for i in range(8)}), tmp_path)
    assert len(report(manifest(counts(5000)), tmp_path)) < 2_000_000


def test_every_sampled_row_is_a_dot_in_each_colouring(tmp_path: Path) -> None:
    """No row is lost between colours and layers."""
    write(rows(333, heads={"churn": 1, "segment": 12}), tmp_path)
    page = report(manifest(counts(333)), tmp_path)
    panels = page.split('class="panel"')[1:]
    assert [panel.split("</svg>")[0].count("h0") for panel in panels] == [333, 333]


def test_settings_are_readable_yaml(tmp_path: Path) -> None:
    """Settings stand in their own order, as in the job file."""
    write(rows(1), tmp_path, parts=1)
    page = report(manifest(counts(1), {**DETAILS, "settings": json.loads('{"job": "é", "a": [1]}')}), tmp_path)
    assert "job: é\na:\n- 1\n" in page
