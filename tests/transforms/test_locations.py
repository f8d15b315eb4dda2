"""Tests of locations: which files a folder, a glob, a file or a URI names."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.errors import ConfigError, NoInput, PermissionRefused, StorageAway
from tests.transforms.failing_storage import FailingStorage, Sleeps, read_through, sleeps
from tests.transforms.parquet_inputs import keyed, write_folder
from transforms.locations import list_files

__all__ = ["sleeps"]


def test_hidden_files_and_other_formats_are_left_out(tmp_path: Path) -> None:
    """`_SUCCESS`, `.crc` files and text files beside the data are not input."""
    folder = write_folder(tmp_path, {"a.parquet": keyed(0, 1)})
    for name in ("_SUCCESS", ".a.parquet.crc", "notes.txt"):
        (folder / name).write_text("x")

    assert [name for _, name in list_files(str(folder))] == ["a.parquet"]


def test_globs_and_single_files(tmp_path: Path) -> None:
    """A star stays within one folder, two stars cross folders, a file is itself."""
    write_folder(tmp_path / "x" / "deep", {"a.parquet": keyed(0, 1)})
    write_folder(tmp_path / "x", {"b.parquet": keyed(0, 1)})

    assert [n for _, n in list_files(f"{tmp_path}/x/*.parquet")] == ["b.parquet"]
    assert [n for _, n in list_files(f"{tmp_path}/x/**/a.parquet")] == ["deep/a.parquet"]
    assert [n for _, n in list_files(f"{tmp_path}/x/b.parquet")] == ["b.parquet"]


@pytest.mark.parametrize("name", ["nothing", "empty", "empty/*.parquet"])
def test_no_input_is_an_error_of_its_own(tmp_path: Path, name: str) -> None:
    """A missing folder, an empty one and a glob without matches are all NoInput."""
    (tmp_path / "empty").mkdir()

    with pytest.raises(NoInput, match=r"input\.path must name"):
        list_files(str(tmp_path / name))


def test_a_location_of_an_unknown_kind_is_a_mistake_of_the_job() -> None:
    """Told with its place in the job file, and what would be right."""
    with pytest.raises(ConfigError, match=r"input\.path: must be a path or a URI such as s3://.*ftp://host"):
        list_files("ftp://host/x")


@pytest.mark.parametrize(
    ("error", "raised", "slept"),
    [(OSError("503"), StorageAway, 7), (PermissionError(13, "denied"), PermissionRefused, 0)],
    ids=["away", "refused"],
)
def test_a_folder_that_cannot_be_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sleeps: Sleeps, error: OSError, raised: type[Exception], slept: int
) -> None:
    """A storage that does not answer is asked again; one that refuses is not."""
    read_through(monkeypatch, FailingStorage(1.0, error=lambda: error))

    with pytest.raises(raised, match=str(tmp_path)):
        list_files(str(tmp_path))

    assert len(sleeps.slept) == slept
