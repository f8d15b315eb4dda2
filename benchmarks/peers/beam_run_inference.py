"""Apache Beam: RunInference with a model handler, between ReadFromParquet and WriteToParquet."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import apache_beam as beam
import pyarrow as pa
from apache_beam.ml.inference.base import KeyedModelHandler, ModelHandler, RunInference
from apache_beam.options.pipeline_options import PipelineOptions

from benchmarks.peers.model import Embed, load
from benchmarks.peers.task import EMBEDDING, KEY, WINDOW, Task


class Handler(ModelHandler[Any, Any, Any]):  # type: ignore[misc]  # Beam ships no types
    """Loads the model once in a process, and gives it windows of rows."""

    def __init__(self, task: Task) -> None:
        super().__init__(min_batch_size=WINDOW // 4, max_batch_size=WINDOW)
        self.task = task

    def load_model(self) -> Embed:
        """The model."""
        return load(self.task)

    def run_inference(self, batch: Sequence[Any], model: Embed, inference_args: object = None) -> Iterable[Any]:
        """A list of numbers for each value."""
        found: list[list[float]] = model(batch).tolist()
        return found


def run(task: Task) -> None:
    """Read, infer in as many processes as there are replicas, write."""
    several = ["--direct_running_mode=multi_processing", f"--direct_num_workers={task.replicas}"]
    options = PipelineOptions(
        ["--runner=FnApiRunner", *(several if task.replicas > 1 else [])], save_main_session=False
    )
    schema = pa.schema([(KEY, pa.string()), (EMBEDDING, pa.list_(pa.float32()))])
    task.target.mkdir(parents=True)
    with beam.Pipeline(options=options) as pipeline:
        _ = (
            pipeline
            | beam.io.ReadFromParquet(f"{task.source}/*.parquet", columns=[KEY, task.column])
            | beam.Reshuffle()
            | beam.Map(lambda row, column=task.column: (row[KEY], row[column]))
            | RunInference(KeyedModelHandler(Handler(task)))
            | beam.MapTuple(lambda key, embedding: {KEY: key, EMBEDDING: embedding})
            | beam.io.WriteToParquet(str(task.target / "part"), schema, file_name_suffix=".parquet")
        )
