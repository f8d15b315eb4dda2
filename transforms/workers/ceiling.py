"""How many rows fit into a worker at once: lowered when a batch did not fit, and growing back slowly."""

from __future__ import annotations

from typing import Final

from transforms.workers import notes

PATIENCE: Final = 32  # batches at the ceiling without trouble, after which it is raised
MOST_PATIENCE: Final = 1024  # a night of 10 million rows in batches of 1,024 still looks nine times
GROWTH: Final = 8  # it is raised by an eighth: TCP's additive increase in proportion, slow against halving


class Ceiling:
    """Most rows of a batch, for one encoder on one device.

    A batch that does not fit halves it. After PATIENCE batches that were as large as the ceiling, and fitted, it is
    raised by 1/GROWTH: whatever else filled the memory may be gone. Where the raise was too much, the patience before
    the next one doubles, so that a true limit is run into ever more rarely.

    Args:
        rows: a ceiling that is remembered; None when none was ever needed.
        patience: how many batches it waits before it is raised.
    """

    def __init__(self, rows: int | None = None, patience: int = PATIENCE) -> None:
        self.rows = rows
        """Most rows at once; None: as many as there are."""
        self.patience = patience
        """Batches without trouble before the next raise."""
        self._without_trouble = 0
        self._raised = False

    def most(self, rows: int) -> int:
        """How many of so many rows to send at once; at least one where there are any."""
        return rows if self.rows is None else min(rows, self.rows)

    def failed(self, at: int) -> None:
        """So many rows did not fit."""
        if self._raised:
            self.patience = min(2 * self.patience, MOST_PATIENCE)
        fitting = max(1, at // 2)
        self.rows = fitting if self.rows is None else min(self.rows, fitting)
        self._without_trouble = 0
        self._raised = False
        self._note()

    def _note(self) -> None:
        """Keep what was found out; see `NotedCeiling`."""

    def fitted(self, rows: int) -> None:
        """So many rows did; batches below the ceiling say nothing about it."""
        if self.rows is None or rows < self.rows:
            return
        self._without_trouble += 1
        if self._without_trouble >= self.patience:
            self.rows += max(1, self.rows // GROWTH)
            self._without_trouble = 0
            self._raised = True


class NotedCeiling(Ceiling):
    """A ceiling that the next process and the next night begin with.

    Args:
        encoder: its fingerprint.
        device: where it runs.
    """

    def __init__(self, encoder: str, device: str) -> None:
        self._key = {"ceiling": encoder, "device": device}
        known = notes.recall(self._key) or {}
        super().__init__(known.get("rows"), known.get("patience", PATIENCE))

    def _note(self) -> None:
        notes.note(self._key, {"rows": self.rows, "patience": self.patience})
