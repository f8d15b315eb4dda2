"""What every kind of workers promises: the op's own results, in order, and errors of the right class."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pytest

from models.errors import ConfigError, MemoryExceeded, SchemaRefused, WorkerDied
from tests.transforms.workers.ops import DoubledSpec, Misbehaviour, NarrowSpec, batch
from transforms.workers.base import Workers, WorkersSpec


@pytest.fixture(scope="module", params=["inline", pytest.param("local", marks=pytest.mark.ray)])
def running(request: pytest.FixtureRequest) -> Iterator[WorkersSpec]:
    """Workers of each kind, started once for this module."""
    with WorkersSpec(address=request.param, max_restarts=1).start() as started:
        yield started.spec


@pytest.fixture
def workers(running: WorkersSpec) -> Iterator[Workers]:
    """This process's door to them."""
    made = running.build()
    yield made
    made.close()


def test_result_is_that_of_the_op(workers: Workers) -> None:
    """A batch comes back with the op's columns added behind its own, which are unchanged."""
    result = workers.remote(DoubledSpec(), "doubled")(batch(3, name=["a", "b", "c"]))

    assert result.schema.names == ["x", "name", "y", "pid"]
    assert result.column("y").to_pylist() == [0, 2, 4]
    assert result.column("name").to_pylist() == ["a", "b", "c"]


def test_promised_schema_is_kept(workers: Workers) -> None:
    """`output_schema` says what a result looks like."""
    op = workers.remote(DoubledSpec(), "doubled")

    assert op.output_schema(batch().schema) == op(batch()).schema


def test_futures_are_collected_in_any_order(workers: Workers) -> None:
    """Each future holds the result of its own batch, also when the last is asked for first."""
    op = workers.remote(DoubledSpec(), "doubled")
    futures = [op.submit(batch(rows)) for rows in range(1, 6)]

    assert [f.result().num_rows for f in reversed(futures)] == [5, 4, 3, 2, 1]


def test_result_can_be_asked_for_twice(workers: Workers) -> None:
    """The second answer equals the first."""
    future = workers.remote(DoubledSpec(), "doubled").submit(batch())

    assert future.result().equals(future.result())


def test_empty_batch(workers: Workers) -> None:
    """No rows in, no rows out, with the promised columns."""
    assert workers.remote(DoubledSpec(), "doubled")(batch(0)).schema.names == ["x", "y", "pid"]


def test_sliced_batch(workers: Workers) -> None:
    """A slice gives the slice of the whole's result."""
    result = workers.remote(DoubledSpec(), "doubled")(batch(100).slice(10, 3))

    assert result.column("y").to_pylist() == [20, 22, 24]


def test_columns_that_do_not_travel_come_back(workers: Workers) -> None:
    """An op that reads x alone still returns the whole batch."""
    result = workers.remote(NarrowSpec(), "narrow")(batch(2, name=["a", "b"]))

    assert result.schema.names == ["x", "name", "y", "pid"]
    assert result.column("name").to_pylist() == ["a", "b"]


def test_config_error_at_build_names_its_path(workers: Workers) -> None:
    """Weights that are missing on the worker are reported as the ConfigError that they are."""
    with pytest.raises(ConfigError) as caught:
        workers.remote(DoubledSpec(build_fails="config"), "build")(batch())

    assert [p.path for p in caught.value.problems] == ["modalities.photo.encoder.weights"]


def test_other_errors_at_build_are_config_errors(workers: Workers) -> None:
    """Whatever a library raises for its weights arrives as one sentence that names the op."""
    with pytest.raises(ConfigError, match=r"worker missing must load; got FileNotFoundError: .*weights/none"):
        workers.remote(DoubledSpec(build_fails="missing"), "missing")(batch())


def test_a_device_that_fails_at_build_is_no_fault_of_the_job_file(workers: Workers) -> None:
    """A GPU that is gone is exit 75: it may be back later."""
    with pytest.raises(WorkerDied, match="No CUDA GPUs are available"):
        workers.remote(DoubledSpec(build_fails="device"), "no_device")(batch())


@pytest.mark.parametrize(
    ("misbehave", "error"),
    [
        ("refuse", SchemaRefused),
        ("memory", MemoryExceeded),
        ("cuda_memory", MemoryExceeded),
        ("data", ZeroDivisionError),
    ],
)
def test_errors_keep_their_class(workers: Workers, misbehave: Misbehaviour, error: type[Exception]) -> None:
    """What the op raises arrives as its own class; every way of running out of memory is MemoryExceeded."""
    future = workers.remote(DoubledSpec(misbehave=misbehave), misbehave).submit(batch())

    with pytest.raises(error) as caught:
        future.result()

    assert type(caught.value) is error


def test_an_error_leaves_the_worker_usable(workers: Workers) -> None:
    """The next batch of the same worker is not touched by an error before it."""
    op = workers.remote(DoubledSpec(misbehave="data"), "data")
    with pytest.raises(ZeroDivisionError):
        op(batch())

    assert workers.remote(DoubledSpec(), "doubled")(batch(1)).column("y").to_pylist() == [0]


def test_same_name_and_spec_is_the_same_worker(workers: Workers) -> None:
    """Asking twice for an op gives the process that holds it already."""
    first, second = (workers.remote(DoubledSpec(), "doubled")(batch(1)).column("pid") for _ in range(2))

    assert first == second


def test_spec_travels(running: WorkersSpec) -> None:
    """A WorkersSpec is what is sent to other processes: it survives pickling."""
    import pickle

    assert pickle.loads(pickle.dumps(running)) == running  # noqa: S301  (made here)


def test_metadata_of_fields_is_kept(workers: Workers) -> None:
    """Field metadata of columns that do and do not travel is that of the input."""
    schema = pa.schema([pa.field("x", pa.int64(), metadata={b"k": b"v"})])
    result = workers.remote(DoubledSpec(), "doubled")(pa.RecordBatch.from_arrays([pa.array([1])], schema=schema))

    assert result.schema.field("x").metadata == {b"k": b"v"}
