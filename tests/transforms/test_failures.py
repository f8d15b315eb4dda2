"""Tests of failure notes: the class and text of an error survive the way through a runner."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.errors import AmalgamError, ConfigError, DataRefused, InternalError, Problem, TemporaryError
from transforms.failures import clear_failures, note_failure, read_failure


def note(folder: Path, error: Exception) -> None:
    """Raise inside a noting block."""
    with pytest.raises(type(error)), note_failure(str(folder), "u1"):
        raise error


def test_no_note_is_no_failure(tmp_path: Path) -> None:
    """Neither an empty folder nor a missing one."""
    assert read_failure(str(tmp_path / "none")) is None


@pytest.mark.parametrize("error", [DataRefused("d"), TemporaryError("t"), ConfigError([Problem("a.b", "must be c")])])
def test_class_and_text_survive(tmp_path: Path, error: AmalgamError) -> None:
    """What the driver raises has the same exit code and the same sentence."""
    note(tmp_path, error)

    found = read_failure(str(tmp_path))

    assert type(found) is type(error)
    assert str(found) == str(error)


def test_an_unknown_error_is_internal_and_keeps_its_traceback(tmp_path: Path) -> None:
    """A bug in a worker ends in exit 70, with the place where it happened as a note."""
    note(tmp_path, ZeroDivisionError("division by zero"))

    found = read_failure(str(tmp_path))

    assert isinstance(found, InternalError)
    assert "ZeroDivisionError: division by zero" in str(found)
    assert "Traceback" in found.__notes__[0]


def test_a_configuration_error_explains_the_others(tmp_path: Path) -> None:
    """Of several notes the configuration's wins, then those that trying again cannot help."""
    for error in (TemporaryError("t"), DataRefused("d"), ConfigError("z")):
        note(tmp_path, error)

    assert isinstance(read_failure(str(tmp_path)), ConfigError)


def test_a_failure_that_cannot_be_noted_is_still_the_one_that_is_raised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A full disk, of which nobody is to read half a note."""
    write_text = Path.write_text

    def half(path: Path, text: str, **options: str) -> int:
        write_text(path, text[:3], **options)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", half)
    note(tmp_path, DataRefused("d"))

    assert read_failure(str(tmp_path)) is None
    assert "could not be noted" in caplog.text


def test_notes_can_be_cleared(tmp_path: Path) -> None:
    """An earlier attempt's failure must not decide this one's exit code."""
    note(tmp_path, DataRefused("d"))

    clear_failures(str(tmp_path))

    assert read_failure(str(tmp_path)) is None
