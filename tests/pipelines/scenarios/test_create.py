"""Whole data sets on disk."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from models.errors import OutputError, UsageError
from pipelines.config import load_job
from pipelines.scenarios import Created, create
from pipelines.scenarios.base import names
from pipelines.scenarios.damage import plan as plan_damage
from pipelines.scenarios.layout import partitions
from pipelines.scenarios.retail.scenario import SCENARIO
from pipelines.scenarios.writer import FileTask, groups

KNOWN = ", ".join(names())


def digests(folder: Path) -> dict[str, str]:
    """Relative path -> sha256 of every file."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


@pytest.fixture(scope="module")
def created(tmp_path_factory: pytest.TempPathFactory) -> Created:
    """A small data set."""
    return create(tmp_path_factory.mktemp("retail"), rows=350, nights=1, history=100, processes=1)


def test_counts_are_those_of_the_files(created: Created) -> None:
    """What is reported is what lies in `data/`."""
    paths = sorted((created.folder / "data").rglob("*.parquet"))
    assert (created.history_rows, created.nightly_rows, created.dates) == (100, 350, ("2026-11-23",))
    assert sum(pq.read_metadata(path).num_rows for path in paths) == 450
    assert len(paths) == created.files
    assert sum(path.stat().st_size for path in paths) == created.bytes


def test_summary_is_one_sentence(created: Created) -> None:
    """What `amalgam new` prints: folder, rows, nights, size."""
    assert str(created).startswith(
        f"Wrote {created.folder}: 100 rows of history, 350 rows in nights up to 2026-11-23 ("
    )


def test_pages_carry_checksums(created: Created) -> None:
    """A file can be read with its page checksums verified, and has several row groups."""
    for path in (created.folder / "data").rglob("*.parquet"):
        pq.read_table(path, page_checksum_verification=True)
        assert pq.read_metadata(path).num_row_groups >= 2


def test_damage_list_matches_the_files(created: Created) -> None:
    """The listed row of the listed file carries the listed key, and there is one per 333 rows."""
    listed = pq.read_table(created.folder / "truth" / "damage.parquet").to_pylist()
    assert len(listed) == created.damaged_rows > 0
    for item in listed:
        table = pq.read_table(created.folder / "data" / item["partition"] / item["file"], columns=["customer_id"])
        assert table["customer_id"][item["row"]].as_py() == item["customer_id"]


def test_truth_stands_row_by_row_beside_the_data(created: Created) -> None:
    """Each data file has a file of truths with the same rows in the same order, outside `data/`."""
    for path in (created.folder / "data").rglob("*.parquet"):
        known = pq.read_table(created.folder / "truth" / "rows" / path.relative_to(created.folder / "data"))
        data = pq.read_table(path, columns=["event_time"])
        assert known["event_time"].equals(data["event_time"])
    assert "margin" in json.loads((created.folder / "truth" / "best.json").read_text())


def test_job_file_names_existing_columns(created: Created) -> None:
    """Every column that the job file names stands in the history, and what a night reads in the nights too."""
    job = load_job(created.job)
    history, night = (
        set(pq.read_schema(next((created.folder / "data" / part).iterdir())).names)
        for part in ("history", f"date={created.dates[-1]}")
    )

    assert len(job.history_columns()) > len(job.input_columns()) > 15
    assert set(job.history_columns()) <= history
    assert set(job.input_columns()) <= night


def test_undamaged_rows_are_the_same_without_damage(tmp_path: Path) -> None:
    """With `damaged=False` only the damaged rows differ."""
    plan = SCENARIO.layout.files(partitions(350, 1, 1)[1])[0]
    damaged = FileTask(tmp_path, "retail", 0, plan, damaged=True)
    pairs = zip(groups(damaged), groups(replace(damaged, damaged=False)), strict=True)
    first, differing = 0, []
    for (broken, truth, listed), (whole, same_truth, nothing) in pairs:
        equal = [broken.slice(i, 1).equals(whole.slice(i, 1)) for i in range(whole.num_rows)]
        differing += [first + i for i, is_equal in enumerate(equal) if not is_equal]
        assert differing[-listed.num_rows :] == listed["row"].to_pylist() or not listed.num_rows
        assert truth.equals(same_truth)
        assert nothing.num_rows == 0
        first += whole.num_rows
    assert len(differing) == len(list(plan_damage(SCENARIO, 0, plan.partition, plan.start, plan.stop))) > 0


def test_groups_are_drawn_one_at_a_time(tmp_path: Path) -> None:
    """Asking for one row group of a file of many draws no more than that: memory is bounded by it."""
    plan = replace(SCENARIO.layout.files(partitions(1_000_000, 1, 1)[1])[0], group_rows=20)
    first = next(iter(groups(FileTask(tmp_path, "retail", 0, plan, damaged=True))))
    assert first[0].num_rows == 20


@pytest.mark.slow
def test_bytes_do_not_depend_on_processes(tmp_path: Path) -> None:
    """One process or two write the same files, byte by byte."""
    folders = [tmp_path / "one", tmp_path / "two"]
    for processes, folder in enumerate(folders, start=1):
        create(folder, rows=200, nights=1, seed=5, processes=processes)
    assert digests(folders[0]) == digests(folders[1])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"scenario": "retial"},
            f"scenario must be one of: {', '.join(names())}; got 'retial'; did you mean 'retail'?",
        ),
        ({"rows": 0}, "rows must be 1 or more; got 0"),
        ({"nights": 0}, "nights must be 1 or more; got 0"),
        ({"seed": -1}, "seed must be 0 or more; got -1"),
        ({"processes": 0}, "processes must be 1 or more; got 0"),
    ],
)
def test_wrong_arguments_are_refused(tmp_path: Path, arguments: dict[str, int], message: str) -> None:
    """One sentence says what must be what, before anything is written."""
    with pytest.raises(UsageError) as caught:
        create(tmp_path, **arguments)  # type: ignore[arg-type]  # wrong on purpose
    assert str(caught.value) == message
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_use_is_refused(tmp_path: Path) -> None:
    """An existing data set is never written over."""
    (tmp_path / "job.yaml").write_text("job: mine\n")
    with pytest.raises(UsageError, match=r"must be new or empty; it holds job\.yaml"):
        create(tmp_path, rows=10)


def test_a_folder_that_cannot_be_made_is_an_output_error(tmp_path: Path) -> None:
    """A file in the place of the folder is reported as such."""
    (tmp_path / "taken").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        create(tmp_path / "taken" / "below", rows=10, nights=1, processes=1)
