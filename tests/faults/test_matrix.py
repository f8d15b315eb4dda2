"""Tests of what `make faults` prints and how it exits."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults import matrix
from tests.faults.matrix import Matrix, titles

REPOSITORY = Path(__file__).parents[2]
PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Tests of three faults, one of them in two modules."""
    for name, title in [
        ("test_f13_disk_full.py", "F13: disk full in staging."),
        ("test_f02_killed_often.py", "F02: an actor killed every 5 s\n\nMore words."),
        ("test_f13_quota.py", "F13: over the quota."),
        ("test_f20_bit_flips.py", "F20: a published file altered."),
        ("test_oracle.py", "Tests of the oracle."),
    ]:
        (tmp_path / name).write_text(f'"""{title}"""\n')
    monkeypatch.setattr(matrix, "FOLDER", tmp_path)
    monkeypatch.setattr(matrix, "ROWS", range(1, 4))
    return tmp_path


def test_every_row_appears_in_order(folder: Path) -> None:
    """The rows that must be there, and those that have a module; names come from the docstrings."""
    rows = Matrix().rows()
    assert [(row.number, row.fault) for row in rows] == [
        (1, ""),
        (2, "an actor killed every 5 s"),
        (3, ""),
        (13, "disk full in staging"),
        (20, "a published file altered"),
    ]
    assert {row.result for row in rows} == {"missing"}


def test_a_row_is_what_the_worst_of_its_tests_is(folder: Path) -> None:
    """Seconds are summed over all modules and phases; a set-up that passes is no test."""
    found = Matrix()
    for module, when, outcome, seconds in [
        ("test_f02_killed_often.py", "setup", PASSED, 1.0),
        ("test_f13_disk_full.py", "setup", PASSED, 1.0),
        ("test_f13_disk_full.py", "call", PASSED, 2.0),
        ("test_f13_quota.py", "call", PASSED, 4.0),
        ("test_f20_bit_flips.py", "call", PASSED, 1.0),
        ("test_f20_bit_flips.py", "teardown", FAILED, 0.5),
    ]:
        found.add(module, when, outcome, seconds)
    rows = {row.number: (row.result, row.seconds) for row in found.rows()}
    assert rows == {1: ("missing", 0), 2: ("missing", 1), 3: ("missing", 0), 13: ("pass", 7), 20: ("fail", 1.5)}


def test_a_skipped_test_is_not_a_passed_one(folder: Path) -> None:
    """One of a row's tests was skipped in its set-up."""
    found = Matrix()
    found.add("test_f13_disk_full.py", "call", PASSED, 1.0)
    found.add("test_f13_quota.py", "setup", SKIPPED, 0.0)
    assert {row.number: row.result for row in found.rows()}[13] == "skip"


def test_a_module_with_another_number_is_refused(folder: Path) -> None:
    """File name and docstring must agree, or the matrix would lie."""
    (folder / "test_f14_late.py").write_text('"""F15: a rerun."""\n')
    with pytest.raises(pytest.UsageError, match=r"test_f14_late.py must open with a docstring like 'F14: "):
        list(titles(folder))


def test_a_line_can_be_read_without_colours(folder: Path) -> None:
    """Number, fault, result and seconds, in columns."""
    found = Matrix()
    found.add("test_f13_disk_full.py", "call", PASSED, 12.34)
    assert found.rows()[3].line(24) == "F13  disk full in staging      pass        12.3 s"


@pytest.mark.parametrize(
    ("rows", "content", "code"),
    [
        ([13], "def test_it():\n    pass\n", pytest.ExitCode.OK),
        ([13, 14], "def test_it():\n    pass\n", pytest.ExitCode.TESTS_FAILED),
        ([13], "import pytest\ndef test_it():\n    pytest.skip('no disk')\n", pytest.ExitCode.TESTS_FAILED),
        ([13], "def test_it():\n    raise ValueError\n", pytest.ExitCode.TESTS_FAILED),
        ([13], "raise ValueError\n", pytest.ExitCode.INTERRUPTED),
    ],
    ids=["passes", "one is missing", "skips", "fails", "cannot be imported"],
)
def test_the_session_fails_unless_every_row_passes(
    tmp_path: Path, rows: list[int], content: str, code: pytest.ExitCode
) -> None:
    """As a user runs it, in a session of its own with the plug-in."""
    (tmp_path / "test_f13_disk_full.py").write_text(f'"""F13: disk full in staging."""\n{content}')
    script = (
        "import sys, pytest; from pathlib import Path; from tests.faults import matrix;"
        f"matrix.FOLDER, matrix.ROWS = Path(sys.argv[1]), {rows};"
        "sys.exit(pytest.main(['-p', 'tests.faults.matrix', '-p', 'no:cacheprovider', sys.argv[1]]))"
    )
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], cwd=REPOSITORY, check=False)
    assert done.returncode == code
