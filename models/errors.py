"""Every exception that Amalgam raises, the exit code it leads to, and whether trying again can help.

    AmalgamError                    exit  try again?
    ├── UsageError                    64  no: the command was called wrongly
    ├── DataRefused                   65  no: quarantine over its limit, unsafe schema, unbalanced ledger
    │   ├── SchemaRefused             65  no: a file whose columns or types cannot be used
    │   ├── UnreadableFile            65  no: a file without a readable footer
    │   └── LedgerUnbalanced          65  no: rows read are not rows published + rows quarantined
    ├── NoInput                       66  later: nothing there for this date yet
    ├── InternalError                 70  yes
    │   └── CorruptArtifact           70  once repaired: a stored file is not what its record says
    ├── OutputError                   73  once fixed: disk full, read-only
    ├── TemporaryError                75  yes: Ray, storage or a key service is away
    │   ├── LeaseHeld                 75  yes: another run works on this job and date
    │   ├── StorageAway               75  yes: storage refused or did not answer, again and again
    │   └── WorkerDied                75  yes: a worker process went away
    │       └── WorkerCrashed         75  the batch that it worked on is tried again, then halved; seldom reaches users
    ├── PermissionRefused             77  no: access or key refused
    ├── ConfigError                   78  no: bad job file, models, versions or workers
    └── MemoryExceeded                70  the batch is split and tried again; reaches users only if one row is too large

Nothing here is raised for bad *values*: those become issue codes (see `models.schema`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, NamedTuple


class AmalgamError(Exception):
    """Base of all errors that are meant for a user's eyes: one readable paragraph."""

    exit_code: ClassVar[int] = 70
    retryable: ClassVar[bool] = False


class UsageError(AmalgamError):
    """The command line was wrong."""

    exit_code = 64


class DataRefused(AmalgamError):
    """The data cannot be published; the last good output still stands."""

    exit_code = 65


class SchemaRefused(DataRefused):
    """A file's columns or types cannot be used; names file, column and both types."""


class UnreadableFile(DataRefused):
    """A file without a readable footer: its rows cannot be counted."""


class LedgerUnbalanced(DataRefused):
    """Rows read are not rows published + rows quarantined."""


class NoInput(AmalgamError):
    """There is no input for this date."""

    exit_code = 66
    retryable = True


class InternalError(AmalgamError):
    """Something that should be impossible happened."""

    exit_code = 70
    retryable = True


class CorruptArtifact(InternalError):
    """A stored file is not what its record says (checksum, shape, names)."""

    retryable = False


class OutputError(AmalgamError):
    """The output cannot be written."""

    exit_code = 73


class TemporaryError(AmalgamError):
    """A service that is needed is away for the moment."""

    exit_code = 75
    retryable = True


class LeaseHeld(TemporaryError):
    """Another run holds this job and date."""


class StorageAway(TemporaryError):
    """Storage refused or did not answer, and went on doing so while the call was repeated."""


class WorkerDied(TemporaryError):
    """A worker process went away and its replacements are used up."""


class WorkerCrashed(WorkerDied):
    """A worker process went away while it worked on this very batch, which may be to blame."""


class PermissionRefused(AmalgamError):
    """Access or a key was refused."""

    exit_code = 77


class MemoryExceeded(AmalgamError):
    """A batch did not fit into memory; a smaller one may."""

    retryable = True


class Problem(NamedTuple):
    """One thing that is wrong in a job file: where, and one sentence that says what would be right."""

    path: str
    message: str


class ConfigError(AmalgamError):
    """The job file or the environment is wrong; carries every problem found, each with its YAML path."""

    exit_code = 78

    def __init__(self, problems: Iterable[Problem] | str) -> None:
        self.problems = [Problem("", problems)] if isinstance(problems, str) else list(problems)
        lines = [f"{p.path}: {p.message}" if p.path else p.message for p in self.problems]
        super().__init__(lines[0] if len(lines) == 1 else "\n".join(f"  {line}" for line in lines))

    def at(self, path: str) -> ConfigError:
        """The same problems, with this YAML path for those that have none."""
        return ConfigError(problem if problem.path else Problem(path, problem.message) for problem in self.problems)

    def __reduce__(self) -> tuple[type[ConfigError], tuple[list[Problem]]]:
        return ConfigError, (self.problems,)
