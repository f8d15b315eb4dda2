"""The row ledger: what each unit read, published and quarantined, and whether it all adds up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from models.errors import LedgerUnbalanced

_COUNTERS = ("quarantined", "issues", "present", "absent", "masked", "encoded", "recalled", "repeated")


@dataclass
class UnitCounts:
    """Counts of one unit, or of many added up."""

    rows_read: int = 0
    rows_published: int = 0
    quarantined: Counter[str] = field(default_factory=Counter)
    """Reason code -> rows removed for it (each row once)."""
    issues: Counter[str] = field(default_factory=Counter)
    """Issue code (`photo.decode_failed`) -> rows read that carry it, published or not."""
    examples: dict[str, str] = field(default_factory=dict)
    """Issue or reason code -> the first key seen with it."""
    present: Counter[str] = field(default_factory=Counter)
    """Modality -> published rows that have it."""
    absent: Counter[str] = field(default_factory=Counter)
    """Modality -> published rows whose input value was null."""
    masked: Counter[str] = field(default_factory=Counter)
    """Modality -> published rows whose value was there but unusable."""
    encoded: Counter[str] = field(default_factory=Counter)
    """Modality -> values that its encoder was given, of rows published or not."""
    recalled: Counter[str] = field(default_factory=Counter)
    """Modality -> values whose embedding was known before (see `transforms.recall`)."""
    repeated: Counter[str] = field(default_factory=Counter)
    """Modality -> values that stood earlier in their unit and were encoded there."""
    bytes_read: int = 0
    seconds: dict[str, float] = field(default_factory=dict)
    """Stage -> seconds spent in it, added over processes."""

    def add(self, other: UnitCounts) -> None:
        """Add another unit's counts to these."""
        self.rows_read += other.rows_read
        self.rows_published += other.rows_published
        self.bytes_read += other.bytes_read
        for name in _COUNTERS:
            getattr(self, name).update(getattr(other, name))
        for stage, seconds in other.seconds.items():
            self.seconds[stage] = self.seconds.get(stage, 0.0) + seconds
        for code, key in other.examples.items():
            self.examples.setdefault(code, key)

    @property
    def rows_quarantined(self) -> int:
        """Rows removed, over all reasons."""
        return sum(self.quarantined.values())

    def check(self, what: str, planned_rows: int) -> None:
        """Check that rows planned = rows read = rows published + rows quarantined.

        Raises:
            LedgerUnbalanced: naming `what` and the four numbers.
        """
        if not planned_rows == self.rows_read == self.rows_published + self.rows_quarantined:
            raise LedgerUnbalanced(
                f"{what}: rows planned must be rows read and rows published + quarantined; got planned {planned_rows}, "
                f"read {self.rows_read}, published {self.rows_published}, quarantined {self.rows_quarantined}"
            )

    def to_json(self) -> dict[str, Any]:
        """A JSON-able mapping that `from_json` turns back."""
        # dataclasses.asdict would count a Counter's items instead of copying them.
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return {name: dict(v) if isinstance(v, dict) else v for name, v in values.items()}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> UnitCounts:
        """Counts from what `to_json` gave."""
        plain = cls(**value)
        for name in _COUNTERS:
            setattr(plain, name, Counter(value.get(name, {})))
        return plain


@dataclass
class Ledger:
    """All units of a run: their counts one by one, and their sum."""

    units: dict[str, UnitCounts] = field(default_factory=dict)

    @classmethod
    def of(cls, units: Iterable[tuple[str, UnitCounts]]) -> Ledger:
        """Ledger from (unit id, counts), in the order of the ids so that examples do not depend on scheduling."""
        return cls(dict(sorted(units)))

    def total(self) -> UnitCounts:
        """The sum over all units."""
        total = UnitCounts()
        for counts in self.units.values():
            total.add(counts)
        return total

    def check(self, planned: Mapping[str, int]) -> None:
        """Check every unit and the whole against the planned rows (unit id -> rows).

        Raises:
            LedgerUnbalanced: a unit is missing, unknown, or does not add up.
        """
        if set(planned) != set(self.units):
            missing, unknown = sorted(set(planned) - set(self.units)), sorted(set(self.units) - set(planned))
            raise LedgerUnbalanced(f"units done must be the units planned; got missing {missing}, unknown {unknown}")
        for unit, rows in planned.items():
            self.units[unit].check(f"unit {unit}", rows)
        self.total().check("the run", sum(planned.values()))
