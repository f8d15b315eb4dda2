"""What every encoder promises: float32 [n, dim], finite, and row i from value i alone, whatever the batch."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from models.arrow import Float32
from models.encoders._huggingface import HuggingFaceSpec
from models.encoders._learned import LearnedEncoderSpec
from models.encoders.base import Encoder, EncoderSpec
from models.spec import discover
from tests.models.encoders.learned import trained
from tests.models.encoders.tiny_models import FOLDERS
from tests.models.encoders.values import VALUES

KINDS = sorted(discover("encoder"))
WEIGHT_FREE = [
    kind
    for kind in KINDS
    if not issubclass(discover("encoder")[kind], LearnedEncoderSpec)
    and not any(f.is_required() for f in discover("encoder")[kind].model_fields.values())
]
ROWS = 70  # more than one block of `rowwise`, and no multiple of it

# What transformers compute may round differently in a batch of another shape; CONTRACT.md's guarantee 3 names 1e-5.
TOLERANCE = 1e-5


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One small pretrained model per modality."""
    return {modality: save(tmp_path_factory.mktemp(modality)) for modality, save in FOLDERS.items()}


@pytest.fixture(scope="module", params=KINDS)
def spec(
    request: pytest.FixtureRequest, folders: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> EncoderSpec:
    """Every kind with its default settings, or as it was trained, and a small folder where it wants weights."""
    found = discover("encoder")[request.param]
    assert issubclass(found, EncoderSpec)
    if issubclass(found, LearnedEncoderSpec):
        return trained(request.param, tmp_path_factory.mktemp("learned") / request.param)
    return found(weights=str(folders[found.modality])) if issubclass(found, HuggingFaceSpec) else found()


@pytest.fixture(scope="module")
def encoder(spec: EncoderSpec) -> Encoder:
    """The encoder of the kind."""
    return spec.build()


@pytest.fixture(scope="module")
def values(spec: EncoderSpec) -> pa.Array:
    """Cleaned values of the kind's modality type."""
    return VALUES[spec.modality](np.random.default_rng(11), ROWS, spec.requires())


@pytest.fixture(scope="module")
def encoded(encoder: Encoder, values: pa.Array) -> Float32:
    """All values in one batch."""
    return encoder(values)


def assert_same(spec: EncoderSpec, got: Float32, expected: Float32) -> None:
    """Equal bit by bit, or to TOLERANCE where a pretrained model computes."""
    if isinstance(spec, HuggingFaceSpec):
        np.testing.assert_allclose(got, expected, rtol=0, atol=TOLERANCE)
    else:
        np.testing.assert_array_equal(got, expected)


def test_the_defaults_are_covered() -> None:
    """The five kinds that need no weights are among those that are tested here."""
    assert set(WEIGHT_FREE) >= {"feature_vector", "hashed_ngrams", "image_histograms", "log_mel", "series_summary"}


def test_gives_finite_float32_of_the_promised_length(spec: EncoderSpec, encoded: Float32) -> None:
    """The result is float32 [n, output_dim] without NaN or infinity."""
    assert encoded.dtype == np.float32
    assert encoded.shape == (ROWS, spec.output_dim)
    assert np.isfinite(encoded).all()


def test_tells_values_apart(encoded: Float32) -> None:
    """Most values have an embedding of their own."""
    assert len(np.unique(encoded, axis=0)) > ROWS / 2


@pytest.mark.parametrize("size", [1, 7, 64])
def test_batches_do_not_change_rows(
    spec: EncoderSpec, encoder: Encoder, values: pa.Array, encoded: Float32, size: int
) -> None:
    """Batches of another size, which are slices of the array, give the same rows."""
    parts = [encoder(values.slice(start, size)) for start in range(0, ROWS, size)]

    assert_same(spec, np.concatenate(parts), encoded)


def test_order_does_not_change_rows(spec: EncoderSpec, encoder: Encoder, values: pa.Array, encoded: Float32) -> None:
    """The same values in another order give the same rows in that order."""
    order = np.random.default_rng(1).permutation(ROWS)

    assert_same(spec, encoder(values.take(pa.array(order))), encoded[order])


def test_encodes_an_empty_array(spec: EncoderSpec, encoder: Encoder, values: pa.Array) -> None:
    """No values give no rows, of the promised length."""
    for empty in (values.slice(0, 0), pa.array([], values.type)):
        result = encoder(empty)

        assert result.shape == (0, spec.output_dim)
        assert result.dtype == np.float32


def test_repeats_itself(spec: EncoderSpec, encoded: Float32, values: pa.Array) -> None:
    """Another encoder of the same spec gives the same rows."""
    assert_same(spec, spec.build()(values), encoded)


def test_is_the_same_in_another_process(tmp_path: Path) -> None:
    """Nothing hangs on Python's hash seed, which differs from process to process."""
    script = (
        "import numpy as np\n"
        "from models.spec import discover\n"
        "from tests.models.encoders.values import VALUES\n"
        f"for kind in {WEIGHT_FREE}:\n"
        "    spec = discover('encoder')[kind]()\n"
        "    values = VALUES[spec.modality](np.random.default_rng(11), 9, spec.requires())\n"
        "    np.save(f'{kind}.npy', spec.build()(values))\n"
    )
    seed = "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2"
    paths = os.pathsep.join([str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": paths}

    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, env=environment, check=True)

    for kind in WEIGHT_FREE:
        here = discover("encoder")[kind]()
        assert isinstance(here, EncoderSpec)
        values = VALUES[here.modality](np.random.default_rng(11), 9, here.requires())
        np.testing.assert_array_equal(np.load(tmp_path / f"{kind}.npy"), here.build()(values))
