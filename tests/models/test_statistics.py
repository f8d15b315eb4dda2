"""Fitted statistics as pydantic fields and as a folder that cannot be half-written or quietly altered."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from models.errors import ConfigError, CorruptArtifact
from models.spec import Spec
from models.statistics import (
    CategoryStatistics,
    FieldStatistics,
    NumberStatistics,
    Statistics,
    fingerprint,
    load_statistics,
    save_statistics,
)

AGE = NumberStatistics(count=3, mean=2.0, variance=0.5, quantiles={"0.5": 2.0})
SEGMENT = CategoryStatistics(count=2, vocabulary=("b", "a"))
FITTED: Statistics = {"profile": {"age": AGE, "segment": SEGMENT}}


class Holder(Spec[None]):
    """A Spec with statistics, as modality Specs have them."""

    kind = "holder"
    statistics: dict[str, FieldStatistics]


def test_kind_decides_the_class_when_read_back() -> None:
    """A Spec's statistics survive JSON as the classes they were."""
    holder = Holder(statistics=FITTED["profile"])
    assert Holder.model_validate_json(holder.model_dump_json()) == holder


def test_numbers_that_are_not_finite_are_refused() -> None:
    """NaN could neither be hashed nor written as JSON."""
    with pytest.raises(ValidationError):
        NumberStatistics(count=1, mean=float("nan"), variance=0.0, quantiles={})


def test_saved_statistics_come_back(tmp_path: Path) -> None:
    """What is loaded equals what was saved; the card holds the fingerprint that was returned."""
    mark = save_statistics(tmp_path / "statistics", FITTED, {"rows": 3})
    card = json.loads((tmp_path / "statistics" / "card.json").read_text())
    assert load_statistics(tmp_path / "statistics") == FITTED
    assert card == {"rows": 3, "fingerprint": mark}
    assert mark == fingerprint(FITTED)


def test_saving_again_leaves_no_other_files(tmp_path: Path) -> None:
    """Temporary files are renamed into place, also over older ones."""
    for _ in range(2):
        save_statistics(tmp_path, FITTED, {})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["card.json", "config.json"]


def test_fingerprint_follows_content_and_not_order() -> None:
    """Another order of fields is the same; another mean is not."""
    turned: Statistics = {"profile": {"segment": SEGMENT, "age": AGE}}
    changed: Statistics = {"profile": {"age": AGE.model_copy(update={"mean": 2.5}), "segment": SEGMENT}}
    assert fingerprint(turned) == fingerprint(FITTED) != fingerprint(changed)


def test_missing_statistics_say_what_to_run(tmp_path: Path) -> None:
    """Nothing fitted yet is the user's to mend, with one command."""
    with pytest.raises(ConfigError, match="run `amalgam fit JOB`"):
        load_statistics(tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "{}",
        '{"fingerprint": "0", "statistics": 3}',
        '{"fingerprint": "0", "statistics": {}}',
    ],
)
def test_corrupt_statistics_are_refused(tmp_path: Path, text: str) -> None:
    """Truncated JSON, another shape, or a fingerprint that does not fit."""
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(CorruptArtifact, match="run `amalgam fit JOB` again"):
        load_statistics(tmp_path)


def test_one_altered_digit_is_noticed(tmp_path: Path) -> None:
    """The mean changed by hand no longer fits the fingerprint."""
    save_statistics(tmp_path, FITTED, {})
    path = tmp_path / "config.json"
    path.write_text(path.read_text().replace('"mean": 2.0', '"mean": 2.1'))
    with pytest.raises(CorruptArtifact, match="fingerprint"):
        load_statistics(tmp_path)
