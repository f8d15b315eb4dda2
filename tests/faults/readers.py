"""The three readers that must agree at every moment: Amalgam's own, pyarrow's dataset, and dask (Feast's)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import dask
import dask.dataframe as dd
import pyarrow as pa
import pyarrow.dataset as ds

from transforms.sinks.reader import read_published

Reader = Callable[[Path, str, Sequence[str] | None], pa.Table]
"""(output, date, columns or all) -> the date's published rows; raises where it can tell that it cannot read them."""


def by_amalgam(out: Path, date: str, columns: Sequence[str] | None = None) -> pa.Table:
    """The rows as Amalgam reads them."""
    return read_published(out, date, columns)


def by_pyarrow(out: Path, date: str, columns: Sequence[str] | None = None) -> pa.Table:
    """The rows as pyarrow's dataset reads the folder."""
    return ds.dataset(folder_of(out, date), format="parquet").to_table(columns=columns and list(columns))


def by_dask(out: Path, date: str, columns: Sequence[str] | None = None) -> pa.Table:
    """The rows as dask reads the folder; lists and strings of whatever types pandas makes of them."""
    with dask.config.set(scheduler="synchronous"):  # no threads of its own: the watcher is one already
        frame = dd.read_parquet(folder_of(out, date), columns=columns and list(columns)).compute()
    return pa.Table.from_pandas(frame, preserve_index=False)


READERS: Mapping[str, Reader] = {"Amalgam": by_amalgam, "pyarrow.dataset": by_pyarrow, "dask": by_dask}


def folder_of(out: Path, date: str) -> Path:
    """The folder that other people's readers are pointed at."""
    return out / "features" / f"date={date}"
