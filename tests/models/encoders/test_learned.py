"""Tests of what encoders of our own share: artifacts, fingerprints, blocks, and that padding says nothing."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from models.encoders._learned import LearnedEncoderSpec
from models.encoders._networks import AttentionPooling, EncoderNetwork, Recurrent, masked_mean, turned
from models.errors import ConfigError, TemporaryError
from models.fusion.base import seeded
from models.learn.encoder_training import Learning
from models.spec import discover
from tests.models.encoders.learned import CLEANED, KINDS, sample, trained, untrained

every_kind = pytest.mark.parametrize("kind", KINDS)


def test_every_kind_is_covered() -> None:
    """A new kind of our own must be named among those that are tested here."""
    learned = {kind for kind, spec in discover("encoder").items() if issubclass(spec, LearnedEncoderSpec)}

    assert learned == set(KINDS)


@every_kind
def test_an_untrained_encoder_says_what_to_do(kind: str) -> None:
    """Random weights are never used."""
    with pytest.raises(ConfigError, match=f"encoder {kind} must be trained before it is used; run `amalgam train JOB`"):
        untrained(kind).build()


def test_a_missing_artifact_says_what_to_do(tmp_path: Path) -> None:
    """Before anything is loaded."""
    with pytest.raises(ConfigError, match=r"must hold config\.json; got no such file; run `amalgam train JOB`"):
        untrained("table").with_artifact(tmp_path / "nothing", CLEANED)


@pytest.mark.parametrize(
    ("settings", "cleaning", "words"),
    [
        ({"dim": 64}, CLEANED, r"dim must be as it was trained \(32\); got 64; run `amalgam train JOB`"),
        ({"hidden": 16}, CLEANED, r"hidden must be as it was trained \(128\); got 16"),
        ({}, "another", "must be used with the cleaning that it was trained on"),
    ],
)
def test_an_artifact_of_other_settings_is_refused(
    tmp_path: Path, settings: dict[str, int], cleaning: str, words: str
) -> None:
    """Also one that learned from values that were cleaned otherwise."""
    trained("table", tmp_path / "table")

    with pytest.raises(ConfigError, match=words):
        untrained("table", **settings).with_artifact(tmp_path / "table", cleaning)


def test_another_kind_s_artifact_is_refused(tmp_path: Path) -> None:
    """The job file's kind was changed since."""
    trained("table", tmp_path / "artifact")

    with pytest.raises(ConfigError, match=r"kind must be as it was trained \('table'\); got 'rnn_series'"):
        untrained("rnn_series").with_artifact(tmp_path / "artifact", CLEANED)


def test_the_fingerprint_follows_the_weights_and_not_the_place(tmp_path: Path) -> None:
    """A moved artifact is the same, one with another number in it is not."""
    spec = trained("table", tmp_path / "table")
    shutil.copytree(tmp_path / "table", tmp_path / "moved")
    weights = tmp_path / "moved" / "model.safetensors"
    moved = untrained("table").with_artifact(tmp_path / "moved", CLEANED)
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    changed = untrained("table").with_artifact(tmp_path / "moved", CLEANED)

    assert moved.fingerprint() == spec.fingerprint()
    assert changed.fingerprint() != spec.fingerprint()
    assert spec.fingerprint() != untrained("table").fingerprint()


def test_an_artifact_that_was_trained_anew_is_not_mixed_in(tmp_path: Path) -> None:
    """A run that was planned with the old weights stops, and goes on with the new ones when it is started again."""
    spec = trained("table", tmp_path / "table")
    trained("table", tmp_path / "table", layers=1)

    with pytest.raises(TemporaryError, match="must stay as it is while a run uses it; got another one; run again"):
        spec.build()


@every_kind
def test_what_stands_behind_a_value_changes_nothing(kind: str) -> None:
    """Wider padding, and whatever stands in it, gives the same embedding (to the rounding of other shapes)."""
    spec = untrained(kind)
    compact = spec.compact(sample(spec, 24))
    learned = spec.taught(compact)
    inputs = learned.inputs(compact)
    with seeded(1), torch.inference_mode():
        network = learned.network().eval()
        rows, width = np.arange(len(inputs)), int(inputs.lengths.max())
        lengths = torch.from_numpy(inputs.lengths)
        narrow = network(torch.from_numpy(inputs.padded(rows, width)), lengths)
        if width == 1:
            return  # a value of one step has nothing behind it
        wide = torch.from_numpy(inputs.padded(rows, width + 24))
        beyond = torch.arange(width + 24) >= lengths[:, None]
        wide[beyond] = 1 if wide.dtype != torch.float32 else 1e6
        result = network(wide, lengths)

    torch.testing.assert_close(result, narrow, rtol=1e-4, atol=1e-5)


@every_kind
def test_training_shows_values_in_other_ways(kind: str) -> None:
    """Augmentation changes some values; none of their lengths grows, and the embeddings stay finite."""
    spec = untrained(kind)
    compact = spec.compact(sample(spec, 32))
    learned = spec.taught(compact)
    inputs = learned.inputs(compact)
    with seeded(1), torch.inference_mode():
        network: EncoderNetwork = learned.network().eval()
        learning = Learning(learned, network, inputs, np.arange(32))
        plain = learning.embed(np.arange(32), torch.device("cpu"))
        shown = learning.embed(np.arange(32), torch.device("cpu"), torch.Generator().manual_seed(0))

    assert torch.isfinite(shown).all()
    assert (plain != shown).any(dim=1).sum() >= 3


@every_kind
def test_every_parameter_learns(kind: str) -> None:
    """A gradient that is not 0 reaches each of them."""
    spec = untrained(kind)
    compact = spec.compact(sample(spec, 32))
    learned = spec.taught(compact)
    with seeded(1):
        network = learned.network()
        learning = Learning(learned, network, learned.inputs(compact), np.arange(32))
        learning.embed(np.arange(32), torch.device("cpu")).square().sum().backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped

    still = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    assert still == []


def test_values_are_turned_round_in_their_place() -> None:
    """Padding stays where it is."""
    assert turned(torch.tensor([3, 0, 4]), 4).tolist() == [[2, 1, 0, 3], [0, 1, 2, 3], [3, 2, 1, 0]]


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_a_recurrent_network_reads_both_ways(cell: str) -> None:
    """The first half of a state knows what stands before a step, the second half what comes after it."""
    with seeded(0):
        network = Recurrent(cell, 16, 16)
    x, lengths = torch.randn(1, 4, 16, generator=torch.Generator().manual_seed(0)), torch.tensor([4])
    changed = x.clone()
    changed[0, 2] += 1

    states, others = network(x, lengths)[0], network(changed, lengths)[0]  # [4, 32]

    same = [bool((states[t, half] == others[t, half]).all()) for t in range(4) for half in (slice(16), slice(16, 32))]
    assert same == [True, False, True, False, False, False, False, True]


def test_pooling_of_nothing_is_zero() -> None:
    """An empty series has an embedding too."""
    x, mask = torch.full((1, 3, 16), torch.nan), torch.zeros(1, 3, dtype=torch.bool)

    assert masked_mean(x, mask).tolist() == [[0.0] * 16]
    assert AttentionPooling(16)(x, mask).tolist() == [[0.0] * 16]
