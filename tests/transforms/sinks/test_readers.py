"""Tests of the output with the readers that users have."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import dask.dataframe as dd
import duckdb
import pandas as pd
import pyarrow.dataset as ds
import pytest

from tests.transforms.sinks.samples import DATE, publish, rows, run_info, write_units
from transforms.sinks.layout import Layout
from transforms.sinks.parquet import ParquetSinkSpec


@pytest.fixture
def folder(tmp_path: Path, both_layouts: str) -> Path:
    """A published date, with another run's work in progress beside it."""
    for tag in ("first", "second"):
        sink = ParquetSinkSpec(path=str(tmp_path)).for_run(run_info(tag)).build()
        parts = write_units(sink)
        if tag == "first":
            publish(sink, parts)
    return Layout(tmp_path).features(DATE)


def test_all_readers_see_the_same_rows(folder: Path) -> None:
    """pandas, dask, duckdb and pyarrow: the same 30 keys and the same embeddings."""
    columns = rows(30).to_pydict()
    expected = dict(zip(columns["customer_id"], map(tuple, columns["emb_photo"]), strict=True))
    frames = {
        "pandas": pd.read_parquet(folder),
        "dask": dd.read_parquet(folder).compute(),
        "duckdb": duckdb.read_parquet(f"{folder}/*.parquet").df(),
        "pyarrow": ds.dataset(folder, format="parquet").to_table().to_pandas(),
    }
    for name, frame in frames.items():
        assert dict(zip(frame["customer_id"], map(tuple, frame["emb_photo"]), strict=True)) == expected, name


def test_readers_from_above_see_the_same_rows(folder: Path) -> None:
    """From `features/`, where the date is a partition column, nothing of staging is seen; in both layouts."""
    root = folder.parent
    tables: dict[str, pd.DataFrame] = {
        "pandas": pd.read_parquet(root),
        "pyarrow": ds.dataset(root, format="parquet", partitioning="hive").to_table().to_pandas(),
        "duckdb": duckdb.read_parquet(f"{root}/*/*.parquet", hive_partitioning=True).df(),
        "dask": dd.read_parquet(sorted(map(str, root.glob("*/*.parquet")))).compute(),  # a list of files
    }
    for name, table in tables.items():
        assert (len(table), {str(date)[:10] for date in table["date"]}) == (30, {DATE}), name


def test_readers_that_do_not_follow_links_from_above_say_so(folder: Path, both_layouts: str) -> None:
    """dask's folders and duckdb's `**` do not descend into links: then they find no file, which is no silent loss."""
    root = folder.parent
    readers: tuple[Callable[[], int], ...] = (
        lambda: len(dd.read_parquet(root)),
        lambda: len(duckdb.read_parquet(f"{root}/**/*.parquet").df()),
    )
    for read in readers:
        if both_layouts == "exchange":
            assert read() == 30
        else:
            with pytest.raises((ValueError, duckdb.IOException), match="No files"):
                read()
