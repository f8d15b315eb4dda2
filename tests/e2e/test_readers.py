"""What is published is read by other people's tools and by people; the demo makes it from nothing."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import dask.dataframe as dd
import duckdb
import pandas as pd
import pytest

from tests.e2e.retail import DATE, KEY, PROGRAM, parts, read
from transforms.sinks.layout import Layout

pytestmark = pytest.mark.beam

REPOSITORY = Path(__file__).parents[2]
FETCHING = {"src", "href", "srcset", "poster", "data", "action", "background"}
"""Attributes by which a page loads something or leads somewhere."""


def by_pandas(folder: Path) -> pd.DataFrame:
    """The folder as pandas reads it."""
    frame: pd.DataFrame = pd.read_parquet(folder)
    return frame


def by_duckdb(folder: Path) -> pd.DataFrame:
    """The folder as duckdb reads it, with the partition's column from the path."""
    query = f"SELECT * FROM read_parquet('{folder}/**/*.parquet', hive_partitioning=true)"
    frame: pd.DataFrame = duckdb.connect().sql(query).df()
    return frame


def by_dask(folder: Path) -> pd.DataFrame:
    """The folder as dask, and so Feast, reads it."""
    frame: pd.DataFrame = dd.read_parquet(folder).compute()
    return frame


@pytest.mark.parametrize("reader", [by_pandas, by_duckdb, by_dask])
@pytest.mark.parametrize("below", ["", f"date={DATE}"], ids=["all dates", "one date"])
def test_readers_see_the_published_rows(undisturbed: Path, reader: Callable[[Path], pd.DataFrame], below: str) -> None:
    """pandas, duckdb and dask read the same keys and vectors, from the folder of all dates and from that of one."""
    expected = read(undisturbed).to_pandas().sort_values(KEY)

    frame = reader(undisturbed / "features" / below).sort_values(KEY)

    assert frame[KEY].tolist() == expected[KEY].tolist()
    assert [list(vector) for vector in frame["fused"]] == [list(vector) for vector in expected["fused"]]
    assert frame["score_churn"].tolist() == expected["score_churn"].tolist()
    if not below:
        assert {str(day)[:10] for day in frame["date"]} == {DATE}


def test_nothing_but_parts_lies_below_features(undisturbed: Path) -> None:
    """Readers that read every file they find find nothing else."""
    assert sorted(path for path in (undisturbed / "features").rglob("*") if path.is_file()) == parts(undisturbed)


class Page(HTMLParser):
    """What a page loads, where it leads, and what it shows."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.tags: list[str] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in FETCHING]

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def test_the_report_is_one_self_contained_page(undisturbed: Path) -> None:
    """report.html loads nothing from elsewhere, so that it can be mailed and opened offline."""
    (report,) = Layout(undisturbed).runs.glob("*/report.html")
    text = report.read_text(encoding="utf-8")

    page = Page(text)

    assert [link for link in page.links if not link.startswith(("#", "data:"))] == []
    assert "@import" not in text
    assert [piece for piece in text.split("url(")[1:] if not piece.lstrip("'\"").startswith(("data:", "#"))] == []
    assert page.tags.count("html") == 1
    assert "599" in " ".join(page.words)  # 600 rows, one of which repeats a key


@pytest.mark.ray
def test_the_demo_ends_well(tmp_path: Path) -> None:
    """Every command of the demo exits 0, from making the data to verifying what was published, with Ray workers."""
    demo = tmp_path / "demo"
    environment = {
        **os.environ,
        "DEMO": str(demo),
        "ROWS": "300",
        "TRAIN_OPTIONS": "--set heads.offer.publish=always",  # a log of 300 rows cannot tell what a policy is worth
        "OMP_NUM_THREADS": "1",
        "PATH": f"{PROGRAM.parent}{os.pathsep}{os.environ['PATH']}",
    }

    done = subprocess.run(
        ["sh", REPOSITORY / "pipelines" / "demo.sh"], env=environment, capture_output=True, text=True, timeout=500
    )

    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert read(demo / "out").num_rows == 300  # one photo of this night is broken, so that its row is published too
    (report,) = Layout(demo / "out").runs.glob("*/report.html")
    assert str(report.relative_to(tmp_path)) in done.stdout
