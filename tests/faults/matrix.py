"""pytest plugin of `make faults`: prints FAULTS.md's matrix, a line for each row, and fails where one is missing."""

from __future__ import annotations

import ast
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROWS = range(1, 43)
"""F01 to F42: FAULTS.md's sections on processes, storage and input. F43 to F48 concern what does not exist yet."""
FOLDER = Path(__file__).parent
_TITLE = re.compile(r"F(\d\d): (.+?)\.?$")
_WORST = ("failed", "skipped", "passed")  # a row is what the worst of its tests is


@dataclass
class Row:
    """One fault."""

    number: int
    fault: str
    outcomes: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    @property
    def result(self) -> str:
        """`pass`, `fail`, `skip`, or `missing` where no test of it has run."""
        worst = next((outcome for outcome in _WORST if self.outcomes[outcome]), "missing")
        return {"failed": "fail", "skipped": "skip", "passed": "pass"}.get(worst, worst)

    def line(self, width: int) -> str:
        """Number, fault, result, seconds."""
        return f"F{self.number:02d}  {self.fault or '(no test)':<{width}}  {self.result:<7}  {self.seconds:7.1f} s"


class Matrix:
    """Collects what every module's tests took and how they ended."""

    def __init__(self) -> None:
        self.outcomes: dict[str, Counter[str]] = defaultdict(Counter)
        self.seconds: dict[str, float] = defaultdict(float)

    def add(self, module: str, when: str, outcome: str, seconds: float) -> None:
        """One phase (setup, call, teardown) of one test; only a call passes, and any phase can fail."""
        self.seconds[module] += seconds
        if when == "call" or outcome != "passed":
            self.outcomes[module][outcome] += 1

    def rows(self) -> list[Row]:
        """All rows, sorted by number; a row may have several modules."""
        rows = {number: Row(number, "") for number in ROWS}
        for path, number, fault in titles(FOLDER):
            row = rows.setdefault(number, Row(number, ""))
            row.fault = row.fault or fault
            row.outcomes += self.outcomes[path.name]
            row.seconds += self.seconds[path.name]
        return [rows[number] for number in sorted(rows)]


def titles(folder: Path) -> Iterator[tuple[Path, int, str]]:
    """(module, number, fault) of every module whose docstring begins with `F13: disk full in staging.`"""
    for path in sorted(folder.glob("test_f[0-9][0-9]_*.py")):
        text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        title = _TITLE.match(text.partition("\n")[0])
        number = path.name[6:8]
        if title is None or title[1] != number:
            raise pytest.UsageError(
                f"{path} must open with a docstring like 'F{number}: disk full in staging.'; got {text[:60]!r}"
            )
        yield path, int(number), title[2]


_MATRIX = pytest.StashKey[Matrix]()


def pytest_configure(config: pytest.Config) -> None:
    """One matrix for the session."""
    config.stash[_MATRIX] = Matrix()
    config.pluginmanager.register(_Listener(config.stash[_MATRIX]))


class _Listener:
    def __init__(self, matrix: Matrix) -> None:
        self._matrix = matrix

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._matrix.add(Path(report.nodeid.partition("::")[0]).name, report.when, report.outcome, report.duration)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self._matrix.add(Path(report.nodeid).name, "collect", "failed", 0.0)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A row that is missing or skipped fails the session as one that failed does."""
    rows = session.config.stash[_MATRIX].rows()
    if session.exitstatus == pytest.ExitCode.OK and any(row.result != "pass" for row in rows):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """The matrix, after everything else."""
    rows = config.stash[_MATRIX].rows()
    width = max(len(row.fault) for row in rows)
    terminalreporter.section("the fault matrix")
    for row in rows:
        terminalreporter.write_line(row.line(width), **{"green" if row.result == "pass" else "red": True})
    counts = Counter(row.result for row in rows)
    told = ", ".join(f"{count} {result}" for result, count in counts.most_common())
    terminalreporter.write_line(f"{len(rows)} faults: {told}; {sum(row.seconds for row in rows):.0f} s")
