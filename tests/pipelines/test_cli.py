"""Tests of the command line: exit codes, one readable paragraph for every error, help, flags, signals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from models import errors
from models.errors import AmalgamError, ConfigError, Problem
from models.spec import FAMILIES, discover
from pipelines import cli, commands
from tests.pipelines.tiny_jobs import DATE, write_job

COMMANDS = {
    *("new", "kinds", "plan", "fit", "train", "evaluate"),
    *("run", "redrive", "runs", "show", "verify", "gc"),
}
ERRORS = [cls for cls in vars(errors).values() if isinstance(cls, type) and issubclass(cls, AmalgamError)]
EXIT_CODES = {  # CONTRACT.md's table; 0, 130 and 143 are no errors
    "UsageError": 64,
    **dict.fromkeys(("DataRefused", "SchemaRefused", "UnreadableFile", "LedgerUnbalanced"), 65),
    "NoInput": 66,
    **dict.fromkeys(("AmalgamError", "InternalError", "CorruptArtifact", "MemoryExceeded"), 70),
    "OutputError": 73,
    **dict.fromkeys(("TemporaryError", "LeaseHeld", "StorageAway", "WorkerDied", "WorkerCrashed"), 75),
    "PermissionRefused": 77,
    "ConfigError": 78,
}


def raises(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """Let the command `runs` fail."""

    def fail(_path: Path, _overrides: Sequence[str]) -> None:
        raise error

    monkeypatch.setattr(commands, "runs", fail)


def records_calls(monkeypatch: pytest.MonkeyPatch, command: str) -> list[tuple[object, ...]]:
    """Let a command only note what it was called with."""
    calls: list[tuple[object, ...]] = []
    monkeypatch.setattr(commands, command, lambda *arguments: calls.append(arguments))
    return calls


@pytest.mark.parametrize("out", ["", "none/page.html"], ids=["a folder", "in no folder"])
def test_a_page_is_written_to_a_file_in_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str], out: str) -> None:
    """Told before the work is done, not after it."""
    code = cli.main(["evaluate", str(write_job(tmp_path)), "--out", str(tmp_path / out)])

    assert code == 64
    assert "--out must be a file in a folder that exists; got " in capsys.readouterr().err


def assert_paragraph(text: str) -> None:
    """One paragraph by this program, with neither traceback nor colours."""
    assert text.startswith("amalgam: ")
    assert text.count("\n") == 1
    assert text.endswith("\n")
    assert "Traceback" not in text
    assert "\x1b" not in text


# Help and lists -----------------------------------------------------------------------------------------------------


def test_the_commands_are_those_of_the_contract() -> None:
    """No command is missing, and none is there that no user was told of."""
    assert {command.callback.__name__ for command in cli.app.registered_commands if command.callback} == COMMANDS


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_has_help_with_an_example(
    command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--help` ends with exit 0, shows how the command is called, and is plain text whatever the environment says."""
    monkeypatch.setenv("FORCE_COLOR", "1")

    code = cli.main([command, "--help"])

    text = capsys.readouterr().out
    assert code == 0
    assert f"Example: amalgam {command}" in text
    assert "\x1b" not in text


@pytest.mark.parametrize("command", sorted(COMMANDS - {"new", "kinds"}))
def test_every_command_on_a_job_takes_overrides(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """`--set dotted.key=value` is in the help of each."""
    cli.main([command, "--help"])

    assert "--set dotted.key=value" in capsys.readouterr().out


def test_kinds_lists_every_kind_of_every_family(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each family has a heading and each kind a line of its own, without colours."""
    monkeypatch.setenv("FORCE_COLOR", "1")

    code = cli.main(["kinds"])

    text = capsys.readouterr().out
    first_words = {line.split()[0] for line in text.splitlines() if line.startswith("  ") and line.strip()}
    assert code == 0
    assert all(family.upper() in text.splitlines() for family in FAMILIES)
    assert {kind for family in FAMILIES for kind in discover(family)} <= first_words
    assert "\x1b" not in text


def test_kinds_of_one_family(capsys: pytest.CaptureFixture[str]) -> None:
    """Only that family is listed."""
    cli.main(["kinds", "fusion"])

    text = capsys.readouterr().out
    assert "FUSION" in text.splitlines()
    assert "ENCODER" not in text.splitlines()


# Errors -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "Missing command"),
        (["runn"], "No such command 'runn'"),
        (["run"], "Missing argument 'JOB'"),
        (["run", "job.yaml"], "must be named by --date, or by --interval-start and --interval-end; got none of them"),
        (["run", "job.yaml", "--date", DATE, "--interval-end", DATE], "got --date, --interval-end"),
        (["run", "job.yaml", "--date", "yesterday"], "--date must be a day such as 2026-11-23; got 'yesterday'"),
        (["run", "job.yaml", "--dat", DATE], "No such option: --dat"),
        (["run", "job.yaml", "--date", DATE, "more"], "Beam options must start with --; got 'more'"),
        (["run", "job.yaml", "--date", DATE, "--", "--no_such_option=1"], "got --no_such_option"),
        (["run", "job.yaml", "--date", DATE, "--", "--runner=FlinkRuner"], "did you mean 'FlinkRunner'?"),
        (["plan", "job.yaml", "--date", DATE, "more"], "Beam options must start with --; got 'more'"),
        (["show", "job.yaml", "2026-11-23-x"], "RUN must be a published run; got '2026-11-23-x'; published: none yet"),
        (["new", "shop", "--rows", "0"], "Invalid value for '--rows'"),
        (["new", "shop", "--scenario", "retial"], "got 'retial'; did you mean 'retail'?"),
        (["kinds", "encoders"], "FAMILY must be one of modality, encoder"),
    ],
)
def test_wrong_usage_is_64(
    tmp_path: Path,
    arguments: list[str],
    words: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever is wrong with the call is one paragraph on stderr, and nothing on stdout."""
    write_job(tmp_path)
    monkeypatch.chdir(tmp_path)

    code = cli.main(arguments)

    out, err = capsys.readouterr()
    assert code == 64
    assert words in err
    assert_paragraph(err)
    assert out == ""


@pytest.mark.parametrize("cls", ERRORS, ids=[cls.__name__ for cls in ERRORS])
def test_every_error_ends_in_its_exit_code(
    cls: type[AmalgamError], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The codes are those of the contract's table; the message is the paragraph."""
    raises(monkeypatch, cls("a file must be readable; got none"))

    code = cli.main(["runs", "job.yaml"])

    err = capsys.readouterr().err
    assert code == EXIT_CODES[cls.__name__]
    assert err == "amalgam: a file must be readable; got none\n"


def test_an_unexpected_error_is_70_and_has_no_traceback(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bug is told as one, in a paragraph like any other error."""
    raises(monkeypatch, ZeroDivisionError("division by zero"))

    code = cli.main(["runs", "job.yaml"])

    err = capsys.readouterr().err
    assert code == 70
    assert err == "amalgam: internal error: ZeroDivisionError: division by zero\n"


@pytest.mark.parametrize("arguments", [["--debug", "runs", "job.yaml"], ["runs", "job.yaml", "--debug"]])
def test_debug_adds_the_traceback(
    arguments: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before or after the command's name; the paragraph still comes last."""
    raises(monkeypatch, ZeroDivisionError("division by zero"))

    code = cli.main(arguments)

    err = capsys.readouterr().err
    assert code == 70
    assert err.startswith("Traceback (most recent call last):")
    assert_paragraph(err.splitlines(keepends=True)[-1])


def test_several_problems_are_lines_of_their_own(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job file with two mistakes gives two indented lines below the program's name."""
    raises(monkeypatch, ConfigError([Problem("job", "is missing"), Problem("output.path", "must be a folder")]))

    code = cli.main(["runs", "job.yaml"])

    assert code == 78
    assert capsys.readouterr().err == "amalgam:\n  job: is missing\n  output.path: must be a folder\n"


def test_a_reader_that_has_seen_enough_is_no_error(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`amalgam kinds | head -1` closes the pipe early; that is success."""
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as closed, monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", closed)
        code = cli.main(["kinds", "fusion"])

    assert code == 0
    assert capfd.readouterr().err == ""


# Flags --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("flags", [("--interval-start", "--interval-end"), ("--interval_start", "--interval_end")])
def test_flags_exist_in_snake_case_too(flags: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """As Beam's own options are written."""
    calls = records_calls(monkeypatch, "run")

    code = cli.main(["run", "job.yaml", flags[0], "2026-11-23", flags[1], "2026-11-24"])

    assert code == 0
    assert calls == [(Path("job.yaml"), [], "", "2026-11-23", "2026-11-24", [])]


def test_what_follows_two_dashes_goes_to_beam_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also flags that have a meaning of their own before them."""
    calls = records_calls(monkeypatch, "run")

    code = cli.main(["run", "job.yaml", "--date", DATE, "--", "--runner=FlinkRunner", "--debug", "--date", "x"])

    assert code == 0
    assert calls == [(Path("job.yaml"), [], DATE, "", "", ["--runner=FlinkRunner", "--debug", "--date", "x"])]


def test_overrides_are_collected_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """`--set` may stand several times."""
    calls = records_calls(monkeypatch, "runs")

    cli.main(["runs", "job.yaml", "--set", "job=a", "--set", "output.path=b=c"])

    assert calls == [(Path("job.yaml"), ["job=a", "output.path=b=c"])]


# Signals ------------------------------------------------------------------------------------------------------------


def interrupted_by(number: signal.Signals, clean_up: Callable[[], None]) -> Callable[[Path, Sequence[str]], None]:
    """A command that is sent a signal, and cleans up when it unwinds."""

    def command(_path: Path, _overrides: Sequence[str]) -> None:
        try:
            os.kill(os.getpid(), number)
            signal.sigtimedwait([], 1)  # the handler has run by the time this returns
        finally:
            clean_up()

    return command


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_unwind_and_have_their_codes(
    number: signal.Signals, code: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever has to be released is released, and nothing is printed that looks like an error."""
    cleaned: list[str] = []
    monkeypatch.setattr(commands, "runs", interrupted_by(number, lambda: cleaned.append("yes")))

    assert cli.main(["runs", "job.yaml"]) == code
    assert cleaned == ["yes"]
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_does_not_stop_the_clean_up(second: signal.Signals, monkeypatch: pytest.MonkeyPatch) -> None:
    """Schedulers and people send more than one; what is being released is released to its end."""
    done: list[str] = []

    def clean_up() -> None:
        os.kill(os.getpid(), second)
        done.append("yes")

    monkeypatch.setattr(commands, "runs", interrupted_by(signal.SIGTERM, clean_up))

    assert cli.main(["runs", "job.yaml"]) == 143
    assert done == ["yes"]


def test_a_signal_that_became_another_error_on_its_way_is_still_a_signal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beam makes errors of its own of whatever a worker raises."""

    def wrap() -> None:
        raise RuntimeError("a stage failed")

    monkeypatch.setattr(commands, "runs", interrupted_by(signal.SIGINT, wrap))

    assert cli.main(["runs", "job.yaml"]) == 130
    assert capsys.readouterr().err == ""


def test_a_keyboard_interrupt_is_130_wherever_it_comes_from(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also one that a library raises itself."""
    raises(monkeypatch, KeyboardInterrupt())

    assert cli.main(["runs", "job.yaml"]) == 130


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_handlers_are_put_back(number: signal.Signals, monkeypatch: pytest.MonkeyPatch) -> None:
    """After `main`, a signal means what it meant before."""
    before = signal.getsignal(number)
    records_calls(monkeypatch, "runs")

    cli.main(["runs", "job.yaml"])

    assert signal.getsignal(number) is before


# The program itself -------------------------------------------------------------------------------------------------


def test_the_program_really_ends_with_the_code(tmp_path: Path) -> None:
    """`python -m pipelines` in a process of its own: the paragraph on stderr, nothing on stdout."""
    arguments = [sys.executable, "-m", "pipelines", "runs", str(tmp_path / "job.yaml")]

    done = subprocess.run(arguments, capture_output=True, text=True, timeout=60)

    assert done.returncode == 78
    assert_paragraph(done.stderr)
    assert "the job file must exist" in done.stderr
    assert done.stdout == ""


PROGRAM = """
import atexit, sys
from pipelines.cli import program

class Slow:
    def __del__(self):
        print("taken apart")

slow, sys.argv = Slow(), ["amalgam", *sys.argv[1:]]
atexit.register(print, "told of the end")
program()
"""


def test_the_program_ends_without_being_taken_apart() -> None:
    """What asked for it is told of the end, and all output arrives."""
    done = subprocess.run([sys.executable, "-c", PROGRAM, "kinds", "--no-such"], capture_output=True, text=True)

    assert (done.returncode, done.stdout) == (64, "told of the end\n")
    assert "No such option" in done.stderr
