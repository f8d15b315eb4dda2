"""Every Beam counter and distribution of Amalgam by name, so that runners' own dashboards show the same numbers."""

from __future__ import annotations

from apache_beam.metrics import Metrics

from transforms.ledger import UnitCounts

NAMESPACE = "amalgam"
ROWS_READ = Metrics.counter(NAMESPACE, "rows_read")
ROWS_PUBLISHED = Metrics.counter(NAMESPACE, "rows_published")
ROWS_QUARANTINED = Metrics.counter(NAMESPACE, "rows_quarantined")
UNIT_ROWS = Metrics.distribution(NAMESPACE, "unit_rows")


def count(counts: UnitCounts) -> None:
    """Add one finished unit to the counters."""
    ROWS_READ.inc(counts.rows_read)
    ROWS_PUBLISHED.inc(counts.rows_published)
    ROWS_QUARANTINED.inc(counts.rows_quarantined)
    UNIT_ROWS.update(counts.rows_read)
    for reason, rows in counts.quarantined.items():
        Metrics.counter(NAMESPACE, f"quarantined.{reason}").inc(rows)
    for code, rows in counts.issues.items():
        Metrics.counter(NAMESPACE, f"issues.{code}").inc(rows)
