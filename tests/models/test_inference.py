"""Tests of running pretrained models: what is overlapped with what, which state is pooled, what is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import AutoModel

from models.arrow import Float32
from models.errors import ConfigError
from models.inference import PretrainedModel, load
from models.lanes import HostLane
from tests.models.encoders.text_families import clip
from tests.models.encoders.tiny_models import text_folder

CPU = torch.device("cpu")
IDS = np.array([[2, 5, 6, 3], [2, 7, 3, 0]])
MASK = np.array([[1, 1, 1, 1], [1, 1, 1, 0]])


class Recorder(nn.Module):
    """A network of one number that writes down which batches it has seen."""

    def __init__(self, log: list[str]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))
        self.config = SimpleNamespace(model_type="recorder", num_hidden_layers=3)
        self.log = log

    def forward(self, *, x: Tensor, return_dict: bool) -> SimpleNamespace:
        self.log.append(f"compute {int(x[0, 0, 0])}")
        return SimpleNamespace(last_hidden_state=x * self.weight)


class LoggedLane(HostLane):
    """The CPU's lane, that also writes down when a result is waited for."""

    def __init__(self, log: list[str], ahead: int) -> None:
        super().__init__(ahead)
        self.log = log

    def download(self, result: Tensor) -> Callable[[], Float32]:
        def wait() -> Float32:
            self.log.append("wait")
            arrived: Float32 = result.numpy()
            return arrived

        return wait


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small BERT of two layers."""
    return text_folder(tmp_path_factory.mktemp("bert"))


@pytest.mark.parametrize(
    ("ahead", "expected"),
    [
        (0, ["prepare 1", "compute 1", "wait", "prepare 2", "compute 2", "wait", "prepare 3", "compute 3", "wait"]),
        (1, ["prepare 1", "compute 1", "prepare 2", "compute 2", "wait", "prepare 3", "compute 3", "wait", "wait"]),
    ],
)
def test_the_next_batch_is_prepared_before_a_result_is_waited_for(ahead: int, expected: list[str]) -> None:
    """With one batch ahead (GPUs) the device never waits for the CPU; without (CPUs) nothing is held back."""
    log: list[str] = []
    model = PretrainedModel(Recorder(log), "text", CPU, two_towered=False, lane=LoggedLane(log, ahead))

    def batches() -> Iterator[dict[str, np.ndarray[Any, Any]]]:
        for number in (1, 2, 3):
            log.append(f"prepare {number}")
            yield {"x": np.full((1, 1, 1), number, dtype=np.float32)}

    found = [float(rows[0, 0]) for rows in model.embed_each(batches(), "mean", normalize=False)]

    assert found == [1, 2, 3]
    assert log == expected


@pytest.mark.filterwarnings("error:The given NumPy array is not writable")
def test_arrays_that_may_not_be_written_are_taken(folder: Path) -> None:
    """Views of Arrow's memory are read-only, and torch would warn of it."""
    locked = IDS.copy()
    locked.flags.writeable = False

    rows = load(folder, "text", "cpu", "float32").embed({"input_ids": locked}, "mean", normalize=False)

    assert rows.shape == (2, 16)


@pytest.mark.parametrize("layer", [0, 1, -2, 2])
def test_a_layer_is_that_of_hidden_states(folder: Path, layer: int) -> None:
    """Counted as transformers counts them, padding left out."""
    with torch.no_grad():
        output = AutoModel.from_pretrained(folder)(
            input_ids=torch.tensor(IDS), attention_mask=torch.tensor(MASK), output_hidden_states=True
        )
    states = output.hidden_states[layer]

    rows = load(folder, "text", "cpu", "float32", layer=layer).embed(
        {"input_ids": IDS, "attention_mask": MASK}, "mean", normalize=False
    )

    np.testing.assert_allclose(rows[0], states[0].mean(dim=0), atol=1e-6)
    np.testing.assert_allclose(rows[1], states[1, :3].mean(dim=0), atol=1e-6)


def test_a_layer_that_is_not_there_is_refused(folder: Path) -> None:
    """Two layers have three states, and a model that pools itself has one to offer."""
    with pytest.raises(ConfigError, match="layer must be between -3 and 2 for this model; got 3"):
        load(folder, "text", "cpu", "float32", layer=3)

    tower = Recorder([])
    tower.config.model_type = "clip_text_model"
    with pytest.raises(ConfigError, match=r"layer must be -1 for a model that pools itself \(clip_text_model\); got 0"):
        PretrainedModel(tower, "text", CPU, two_towered=False, layer=0)


def test_weights_with_gaps_are_refused(tmp_path: Path) -> None:
    """transformers would fill them with random numbers; a pooler that nothing is read from may be missing."""
    path = text_folder(tmp_path) / "model.safetensors"
    weights = load_file(path)
    without_pooler = {name: value for name, value in weights.items() if not name.startswith("pooler")}
    assert len(without_pooler) == len(weights) - 2

    save_file(without_pooler, path, {"format": "pt"})
    load(tmp_path, "text", "cpu", "float32")
    without_pooler.pop("encoder.layer.1.output.dense.weight")
    save_file(without_pooler, path, {"format": "pt"})

    with pytest.raises(ConfigError, match=r"every number that BertModel uses; got none for encoder\.layer\.1\.output"):
        load(tmp_path, "text", "cpu", "float32")


def test_half_precision_is_pooled_in_float32(folder: Path) -> None:
    """What leaves the model is float32, close to what a float32 model gives."""
    inputs = {"input_ids": IDS, "attention_mask": MASK}
    exact = load(folder, "text", "cpu", "float32").embed(inputs, "mean", normalize=True)

    half = load(folder, "text", "cpu", "bfloat16").embed(inputs, "mean", normalize=True)

    assert half.dtype == np.float32
    cosines = (exact * half).sum(axis=1)
    assert (cosines > 0.999).all()  # bfloat16 keeps 8 bits: 1 - 2·(2^-8)² per rounding, over some tens of roundings
    assert (half != exact).any()


@pytest.mark.parametrize(("modality", "save"), [("text", text_folder), ("text", clip)])
def test_compiling_reaches_what_is_called(tmp_path: Path, modality: str, save: Callable[[Path], object]) -> None:
    """What `embed` calls is compiled, of two towers the one that is used; torch is told to refuse, which is quicker."""
    save(tmp_path)
    plain = load(tmp_path, modality, "cpu", "float32")
    compiled = load(tmp_path, modality, "cpu", "float32", compiled=True)
    inputs = {"input_ids": IDS, "attention_mask": MASK}

    with torch.compiler.set_stance("fail_on_recompile"):
        plain.embed(inputs, "mean", normalize=False)
        with pytest.raises(RuntimeError, match="recompile"):
            compiled.embed(inputs, "mean", normalize=False)
