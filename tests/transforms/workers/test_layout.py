"""Layouts of workers: which are worth a try, how encoders share the cores, and how a plan is told."""

from __future__ import annotations

import pytest

from transforms.workers.layout import Auto, Layout, Plan, layouts, settings_of_batch, shared


@pytest.mark.parametrize(
    ("cores", "replicas", "threads", "expected"),
    [
        (1, "auto", "auto", [(1, 1)]),
        (2, "auto", "auto", [(2, 1), (1, 2)]),
        (6, "auto", "auto", [(6, 1), (3, 2), (1, 4), (1, 6)]),
        (16, "auto", "auto", [(8, 2), (4, 4), (2, 8), (1, 16)]),  # 16 replicas would hold the weights 16 times
        (2, 3, "auto", [(3, 1)]),
        (4, 2, "auto", [(2, 1), (2, 2)]),
        (4, "auto", 2, [(2, 2), (1, 2)]),
        (4, "auto", 8, [(1, 8)]),
        (4, 3, 5, [(3, 5)]),
    ],
)
def test_layouts_that_are_tried(
    cores: int, replicas: int | Auto, threads: int | Auto, expected: list[tuple[int, int]]
) -> None:
    """Numbers that were given stay; the others fill the cores, from one thread each to one worker with all."""
    assert layouts(cores, replicas, threads) == [Layout(*layout) for layout in expected]


def test_an_encoder_by_itself_keeps_its_replicas() -> None:
    """Its part of the work is 1; ceil(2 x 1 x 1.25) = 3 is more than the 2 that were best."""
    alone = {"review": Plan(replicas=2, rate=100)}
    assert shared(alone, fixed=False) == alone


def test_a_cheap_encoder_gives_up_replicas() -> None:
    """1/900 s and 1/100 s a row: parts 0.1 and 0.9; ceil(4 x 0.1 x 1.25) = 1, ceil(4 x 0.9 x 1.25) = 5, at most 4."""
    alone = {"review": Plan(replicas=4, rate=900), "photo": Plan(replicas=4, rate=100)}
    found = shared(alone, fixed=False)
    assert {name: plan.replicas for name, plan in found.items()} == {"review": 1, "photo": 4}


def test_equal_encoders_keep_room_for_each_other() -> None:
    """Half of the work each: ceil(2 x 0.5 x 1.25) = 2, since records without a photo leave its cores to the texts."""
    alone = {"review": Plan(replicas=2, rate=50), "photo": Plan(replicas=2, rate=50)}
    assert shared(alone, fixed=False) == alone


@pytest.mark.parametrize("plan", [Plan(replicas=4), Plan(replicas=4, rate=900, device_memory=80 << 30)])
def test_what_was_not_measured_on_the_cores_is_left_alone(plan: Plan) -> None:
    """A plan without a rate, or from a GPU, says nothing about a part of the cores."""
    alone = {"review": plan, "photo": Plan(replicas=4, rate=100)}
    assert shared(alone, fixed=False)["review"] == plan


def test_given_replicas_are_kept() -> None:
    """The user's number is not lowered, however small the part of the work."""
    alone = {"review": Plan(replicas=4, rate=900), "photo": Plan(replicas=4, rate=100)}
    assert shared(alone, fixed=True) == alone


def test_a_plan_in_words() -> None:
    """As `amalgam plan` prints it; what was not measured is not told."""
    plan = Plan(replicas=2, batch={"max_batch_tokens": 1024}, rate=240.4)
    assert str(plan) == "2 workers x 1 thread, max_batch_tokens 1,024 (measured: 240 rows/s)"
    assert str(Plan(threads=4)) == "1 worker x 4 threads"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [({"max_batch_tokens", "max_batch_rows"}, {"max_batch_rows": 9}), ({"max_batch"}, {"max_batch": 9}), (set(), {})],
)
def test_the_setting_that_counts_rows(fields: set[str], expected: dict[str, float]) -> None:
    """A number of rows goes where the encoder counts rows, and nowhere in an encoder that does not."""
    assert settings_of_batch(fields, 9) == expected
