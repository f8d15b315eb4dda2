"""What `amalgam fit` learned about a field, and the folder in which it is kept."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from models.errors import ConfigError, CorruptArtifact
from models.spec import digest

QUANTILES: Final = ("0.001", "0.01", "0.05", "0.25", "0.5", "0.75", "0.95", "0.99", "0.999")
"""The quantiles that are kept, by their names in NumberStatistics.quantiles and in job files."""


class NumberStatistics(BaseModel):
    """Statistics of one numeric field; all are 0 and there are no quantiles when nothing was observed."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    kind: Literal["number"] = "number"
    count: int = Field(ge=0)
    """Finite values observed."""
    mean: float
    variance: float = Field(ge=0)
    """Population variance (divided by count)."""
    quantiles: dict[str, float]
    """Each name of QUANTILES -> value; `models.accumulators.QuantileSketch` says how exact."""


class CategoryStatistics(BaseModel):
    """Statistics of one categorical field."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["category"] = "category"
    count: int = Field(ge=0)
    """Values observed."""
    vocabulary: tuple[str, ...]
    """Categories by falling frequency, then by name; at most `models.accumulators.MAX_VOCABULARY`."""


FieldStatistics = Annotated[NumberStatistics | CategoryStatistics, Field(discriminator="kind")]
"""Statistics of one field, told apart by `kind`."""
Statistics: TypeAlias = dict[str, dict[str, FieldStatistics]]
"""Modality -> field -> its statistics."""

_STATISTICS: Final[TypeAdapter[Statistics]] = TypeAdapter(Statistics)


def fingerprint(statistics: Statistics) -> str:
    """sha256 of the statistics' content: the same for the same data, however it was cut and merged."""
    return digest(_STATISTICS.dump_python(statistics, mode="json"))


def save_statistics(folder: Path, statistics: Statistics, card: Mapping[str, Any]) -> str:
    """Write `config.json` (statistics and their fingerprint) and `card.json` (what they were fitted on).

    Each file appears whole or not at all, `config.json` last.

    Returns:
        The fingerprint.
    """
    folder.mkdir(parents=True, exist_ok=True)
    mark = fingerprint(statistics)
    content = _STATISTICS.dump_python(statistics, mode="json")
    _write(folder / "card.json", {**card, "fingerprint": mark})
    _write(folder / "config.json", {"fingerprint": mark, "statistics": content})
    return mark


def load_statistics(folder: Path) -> Statistics:
    """Read what `save_statistics` wrote.

    Raises:
        ConfigError: nothing was fitted yet.
        CorruptArtifact: the file cannot be read as statistics, or is not what its fingerprint says.
    """
    path = folder / "config.json"
    expected = f"{path} must hold fitted statistics"
    try:
        config = json.loads(path.read_bytes())
        found, statistics = config["fingerprint"], _STATISTICS.validate_python(config["statistics"])
    except FileNotFoundError:
        raise ConfigError(f"{expected}; got no such file; run `amalgam fit JOB`") from None
    except (
        ValueError,
        KeyError,
        TypeError,
    ) as error:  # not JSON, not ours, not statistics (pydantic's is a ValueError)
        raise CorruptArtifact(f"{expected}; got {error}; run `amalgam fit JOB` again") from error
    if found != (mark := fingerprint(statistics)):
        raise CorruptArtifact(f"{expected} of fingerprint {found}; got {mark}; run `amalgam fit JOB` again")
    return statistics


def _write(path: Path, value: object) -> None:
    """Write JSON so that readers see the old file or the new one, never a part of it."""
    with tempfile.NamedTemporaryFile("w", dir=path.parent, suffix=".tmp", delete=False) as file:
        json.dump(value, file, indent=2, sort_keys=True, allow_nan=False)
        file.flush()
        os.fsync(file.fileno())
    Path(file.name).replace(path)
