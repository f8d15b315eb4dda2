"""Late fusion: vectors side by side with the mask, and how long that makes the fused vector."""

from __future__ import annotations

import pyarrow as pa
import pytest
import torch
from pydantic import ValidationError

from models.errors import ConfigError
from models.fusion.late import LateSpec
from models.heads.q_learning import QLearningHeadSpec
from models.late import Late
from models.spec import parse

INPUTS = {"photo": 4, "review": 3, "visits": 2}


def test_the_width_decides_the_length() -> None:
    """Three vectors of 5 and three bits are 18, also when the inputs are filled in later, or filled in anew."""
    spec = LateSpec(width=5)
    assert LateSpec(width=5, inputs=INPUTS).dim == 18
    assert type(spec).model_validate({**spec.model_dump(), "inputs": INPUTS}).dim == 18
    fewer = {**LateSpec(width=5, inputs=INPUTS).model_dump(), "inputs": {"photo": 4}}
    assert type(spec).model_validate(fewer).dim == 6


def test_the_length_is_no_setting() -> None:
    """A job file that gives `dim` is told what it may give."""
    spec, problems = parse("fusion", {"kind": "late", "dim": 64}, "fusion")
    assert spec is None
    assert [problem.message for problem in problems] == ["unknown key 'dim'; known keys: pool, seed, trained, width"]


def test_a_width_that_is_no_number_is_refused() -> None:
    """By pydantic, not by an exception on the way to it."""
    with pytest.raises(ValidationError, match="width"):
        LateSpec.model_validate({"width": "wide", "inputs": INPUTS})


def test_heads_find_vectors_and_mask_again() -> None:
    """What `split` gives of z are the projections of what is present, zeros for the rest, and the mask."""
    spec = LateSpec(width=5, inputs=INPUTS, pool="mean")
    x, mask = torch.randn(1, 3, 4, generator=torch.Generator().manual_seed(0)), torch.tensor([[True, False, True]])
    fusion = spec.build()
    assert spec.late == Late(modalities=3, width=5, pool="mean")
    vectors, present = spec.late.split(fusion(x, mask).z)
    assert present.tolist() == [[True, False, True]]
    projections = fusion.get_submodule("projections")
    torch.testing.assert_close(vectors, projections(x, mask))
    assert vectors[0, 1].tolist() == [0] * 5


def test_present_modalities_share_equally() -> None:
    """Two of three: one half each."""
    fused = LateSpec(width=5, inputs=INPUTS).build()(torch.ones(1, 3, 4), torch.tensor([[True, False, True]]))
    assert fused.shares.tolist() == [[0.5, 0, 0.5]]


def test_a_decision_head_reads_it_as_it_is() -> None:
    """Preferences and values of two actions, from the vectors side by side; the fusion survives the head's settings."""
    fusion = LateSpec(width=5, inputs=INPUTS)
    spec = QLearningHeadSpec(action="offer", reward="revenue").with_actions(pa.array(["call", "mail"]), fusion)
    again = type(spec).model_validate({name: value for name, value in spec.settings().items() if name != "kind"})
    assert again.fusion_spec() == fusion
    assert spec.build()(torch.ones(2, 3, 4), torch.ones(2, 3) > 0).shape == (2, 4)


def test_no_inputs_are_refused() -> None:
    """A fusion of nothing cannot be built."""
    with pytest.raises(ConfigError, match="at least one modality"):
        LateSpec().build()
