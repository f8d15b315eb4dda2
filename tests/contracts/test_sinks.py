"""What every sink promises: a retry replaces, twice is once, and nothing unbalanced is published."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models.errors import LeaseHeld, LedgerUnbalanced
from models.spec import discover
from tests.transforms.sinks.samples import (
    DATE,
    RECORD,
    SCHEMA,
    counts,
    ledger_of,
    publish,
    quarantined,
    rows,
    run_info,
    write_unit,
    write_units,
)
from transforms.ledger import Ledger
from transforms.sinks import memory
from transforms.sinks.base import RunInfo, Sink, SinkSpec
from transforms.sinks.layout import Layout
from transforms.sinks.parquet import ParquetSinkSpec


class Harness:
    """Makes the sinks of one output and reads what they published."""

    def __init__(self, spec: SinkSpec, read: Callable[[], pa.Table | None]) -> None:
        self.spec = spec
        self.read = read

    def sink(self, run: RunInfo) -> Sink:
        return self.spec.for_run(run).build()


def _parquet(folder: Path) -> Harness:
    def read() -> pa.Table | None:
        path = Layout(folder).features(DATE)
        return pq.read_table(path).sort_by("customer_id") if path.exists() else None

    return Harness(ParquetSinkSpec(path=str(folder)), read)


def _memory(folder: Path) -> Harness:
    def read() -> pa.Table | None:
        tables = memory.output(str(folder)).features.get(DATE)
        return None if tables is None else pa.concat_tables(tables.values()).sort_by("customer_id")

    return Harness(memory.MemorySinkSpec(name=str(folder)), read)


HARNESSES = {"parquet": _parquet, "memory": _memory}


@pytest.fixture(params=sorted(HARNESSES))
def harness(request: pytest.FixtureRequest, tmp_path: Path) -> Harness:
    """One output of each kind."""
    return HARNESSES[request.param](tmp_path)


def test_every_registered_sink_is_tested() -> None:
    """A new sink must be given a harness here."""
    assert set(HARNESSES) == set(discover("sink"))


def test_published_rows_are_those_written(harness: Harness) -> None:
    """Readers see every unit's rows and nothing else."""
    sink = harness.sink(run_info())
    publish(sink, write_units(sink))
    expected = pa.Table.from_batches([rows(30)])
    assert harness.read().equals(expected.sort_by("customer_id"))  # type: ignore[union-attr]


def test_nothing_is_visible_before_publication(harness: Harness) -> None:
    """Closed parts are no output yet."""
    write_units(harness.sink(run_info()))
    assert harness.read() is None


def test_publishing_twice_is_publishing_once(harness: Harness) -> None:
    """The second publication gives the first one's manifest and changes no row."""
    sink = harness.sink(run_info())
    parts = write_units(sink)
    first = publish(sink, parts)
    before = harness.read()
    again = publish(harness.sink(run_info()), parts)
    assert again == first
    assert harness.read().equals(before)  # type: ignore[union-attr]


def test_a_new_run_replaces_all_of_the_old_one(harness: Harness) -> None:
    """Fewer units than before leave no rows of the old run behind."""
    old, new = harness.sink(run_info("old")), harness.sink(run_info("new"))
    publish(old, write_units(old, units=5))
    publish(new, write_units(new, units=2, value=7.0))
    assert harness.read().num_rows == 20  # type: ignore[union-attr]  # 2 units of 10


def test_a_retry_replaces_its_own_unit(harness: Harness) -> None:
    """A unit written a second time counts once, with the rows of the second attempt."""
    sink = harness.sink(run_info())
    write_unit(sink, "00000-u", rows(10))
    retried = write_unit(sink, "00000-u", rows(4))
    assert sink.finished() == {"00000-u": retried}
    publish(sink, [retried])
    assert harness.read().num_rows == 4  # type: ignore[union-attr]


def test_two_attempts_at_once_leave_one_unit(harness: Harness) -> None:
    """Attempts that overlap in time give the same part, and one of them stays."""
    sink = harness.sink(run_info())
    one, other = (sink.open("00000-u", SCHEMA, RECORD) for _ in range(2))
    one.write(rows(10))
    other.write(rows(10))
    first, second = one.close(counts(10)), other.close(counts(10))
    assert first == second
    assert sink.finished() == {"00000-u": first}


def test_an_abandoned_unit_is_not_finished(harness: Harness) -> None:
    """What was written before `abandon` counts for nothing."""
    sink = harness.sink(run_info())
    writer = sink.open("00000-u", SCHEMA, RECORD)
    writer.write(rows(10))
    writer.quarantine(quarantined(1, "00000-u"))
    writer.abandon()
    assert sink.finished() == {}


def test_finished_units_are_seen_by_another_sink_of_the_run(harness: Harness) -> None:
    """A successor finds what is done, and nothing of another run."""
    parts = write_units(harness.sink(run_info()))
    assert list(harness.sink(run_info()).finished().values()) == parts
    assert harness.sink(run_info("other")).finished() == {}


def test_a_unit_of_quarantined_rows_alone_is_published(harness: Harness) -> None:
    """A part without rows is a part."""
    sink = harness.sink(run_info())
    manifest = publish(sink, [write_unit(sink, "00000-u", rows(0), removed=3)])
    assert harness.read().num_rows == 0  # type: ignore[union-attr]
    assert [file.rows for file in manifest.quarantine] == [3]


def test_a_date_without_units_has_a_schema(harness: Harness) -> None:
    """Without input rows, an empty part carries the columns; the second time nothing changes."""
    for _ in range(2):
        harness.sink(run_info()).publish([], Ledger(), {}, schema=SCHEMA)
        table = harness.read()
        assert table is not None
        assert table.schema.equals(SCHEMA)
        assert table.num_rows == 0


def test_counts_must_be_the_rows_written(harness: Harness) -> None:
    """A unit that lost a row is never done."""
    sink = harness.sink(run_info())
    writer = sink.open("00000-u", SCHEMA, RECORD)
    writer.write(rows(9))
    with pytest.raises(LedgerUnbalanced, match="10 counted, 9 written"):
        writer.close(counts(10))
    assert sink.finished() == {}


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_a_missing_part_is_refused(harness: Harness, missing: int) -> None:
    """The ledger's units must all be there; the old output stands."""
    sink = harness.sink(run_info())
    parts = write_units(sink)
    ledger = ledger_of(parts)
    del parts[missing]
    with pytest.raises(LedgerUnbalanced, match="one for each unit"):
        sink.publish(parts, ledger, {})
    assert harness.read() is None


def test_a_lost_lease_stops_the_publication(harness: Harness) -> None:
    """The fence is asked before anything becomes visible."""
    old, new = harness.sink(run_info("old")), harness.sink(run_info("new"))
    publish(old, write_units(old))
    parts = write_units(new, value=7.0)
    before = harness.read()

    def fence() -> None:  # raises before it gives a context
        raise LeaseHeld("another run has taken over")

    with pytest.raises(LeaseHeld):
        new.publish(parts, ledger_of(parts), {}, fence=fence)  # type: ignore[arg-type]  # never returns
    assert harness.read().equals(before)  # type: ignore[union-attr]


def test_rows_of_another_schema_are_refused(harness: Harness) -> None:
    """A part has one schema."""
    writer = harness.sink(run_info()).open("00000-u", SCHEMA, RECORD)
    with pytest.raises(ValueError, match="must have the schema"):
        writer.write(rows(3).drop_columns(["issues"]))


def test_a_spec_for_a_run_survives_pickling(harness: Harness) -> None:
    """Specs travel to the workers."""
    spec = harness.spec.for_run(run_info())
    assert pickle.loads(pickle.dumps(spec)) == spec  # noqa: S301  # our own bytes


def test_a_spec_without_a_run_does_not_build(harness: Harness) -> None:
    """Forgetting `for_run` is said so."""
    with pytest.raises(ValueError, match="for_run"):
        harness.spec.build()
