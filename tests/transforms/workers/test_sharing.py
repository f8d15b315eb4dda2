"""GPUs shared out: equally, or by measured memory, so that every actor finds a place."""

from __future__ import annotations

import pytest

from transforms.workers.layout import Plan
from transforms.workers.sharing import CONTEXT_BYTES, HEADROOM, Arranged, arrange, seated, share_of, visible_gpu

GPU = 80 << 30


def needing(share: float) -> Plan:
    """An encoder that needs this share of a GPU, headroom and CUDA's own memory included."""
    return Plan(rate=100, memory=round((share * GPU - CONTEXT_BYTES) / HEADROOM), device_memory=GPU)


@pytest.mark.parametrize(
    ("gpus", "actors", "share"),
    [(0, 3, 0.0), (1, 1, 1.0), (1, 3, 0.3333), (4, 2, 2.0), (5, 2, 2.0), (2, 5, 0.3333), (4, 5, 0.5), (0.5, 2, 0.25)],
)
def test_share_of_gpus(gpus: float, actors: int, share: float) -> None:
    """Ray takes whole GPUs or a fraction below one with four decimals; five actors on two GPUs are three on one."""
    assert share_of(gpus, actors) == share


@pytest.mark.parametrize("gpus", [1, 2, 3, 8])
@pytest.mark.parametrize("actors", [1, 2, 3, 5, 7, 16])
def test_every_actor_finds_a_place(gpus: int, actors: int) -> None:
    """Actors do not span GPUs unless they hold whole ones: as many as fit on each must do for all."""
    share = share_of(gpus, actors)
    assert (gpus // share if share >= 1 else gpus * int(1 / share)) >= actors


def seats(gpus: float, plans: dict[str, Plan], replicas: int | None = None) -> dict[str, tuple[int, int | None]]:
    """Encoder -> its replicas, and the GPU of the first."""
    return {name: (p.replicas, p.first_gpu) for name, p in seated(gpus, plans, replicas).items()}


def memory(gpus: float, plans: dict[str, Plan], replicas: int | None = None) -> list[float | None]:
    """Share of its GPU's memory that each encoder may take."""
    return [plan.memory_share for plan in seated(gpus, plans, replicas).values()]


def test_encoders_that_fit_together_share_every_gpu() -> None:
    """0.3 + 0.1 of a GPU: one replica of each on both GPUs, with 3/4 and 1/4 of the memory."""
    plans = {"photo": needing(0.3), "review": needing(0.1)}

    assert seats(2, plans) == {"photo": (2, 0), "review": (2, 0)}
    assert memory(2, plans) == pytest.approx([0.75, 0.25])


def test_encoders_that_do_not_fit_together_get_gpus_of_their_own() -> None:
    """0.7 and 0.6 on two GPUs: one replica each, on GPU 0 and 1, with all of its memory."""
    plans = {"photo": needing(0.7), "review": needing(0.6)}

    assert seats(2, plans) == {"photo": (1, 0), "review": (1, 1)}
    assert memory(2, plans) == pytest.approx([1.0, 1.0])


def test_more_encoders_than_room_are_tried_all_the_same() -> None:
    """0.7 and 0.6 on one GPU: 7/13 and 6/13 of its memory; batches that are too large for that are halved."""
    plans = {"photo": needing(0.7), "review": needing(0.6)}

    assert seats(1, plans) == {"photo": (1, 0), "review": (1, 0)}
    assert memory(1, plans) == pytest.approx([7 / 13, 6 / 13])


def test_memory_is_never_given_twice() -> None:
    """Three of 0.4 on two GPUs, one replica each: the first and the third meet on GPU 0, the second is alone."""
    plans = {name: needing(0.4) for name in "abc"}

    assert seats(2, plans) == {"a": (1, 0), "b": (1, 1), "c": (1, 0)}
    assert memory(2, plans) == pytest.approx([0.5, 1.0, 0.5])


def test_given_replicas_are_kept() -> None:
    """Three replicas of a small encoder on one GPU have a third of its memory each."""
    plans = {"review": needing(0.1)}

    assert seats(1, plans, replicas=3) == {"review": (3, 0)}
    assert memory(1, plans, replicas=3) == pytest.approx([1 / 3])


def test_ray_is_asked_for_no_share() -> None:
    """Their places are chosen here; Ray would pack two replicas of one encoder onto one GPU."""
    assert [plan.gpus for plan in seated(2, {"photo": needing(0.3)}).values()] == [0.0]


@pytest.mark.parametrize(
    ("number", "visible", "gpus", "expected"),
    [(0, None, 2, "0"), (3, None, 2, "1"), (1, "4,6", 2, "6"), (1, "GPU-a, GPU-b", 1, "GPU-a"), (5, "", 4, "1")],
)
def test_the_gpu_that_a_process_sees(number: int, visible: str | None, gpus: int, expected: str) -> None:
    """Counted among those that the run itself may see."""
    assert visible_gpu(number, visible, gpus) == expected


def test_memory_decides_when_it_is_known_of_all_that_want_a_gpu() -> None:
    """A tabular op wants none: it keeps its plan, the other one gets both GPUs."""
    profile = Plan(batch={"max_batch_rows": 9})

    found = arrange(2, {"photo": needing(0.3), "profile": profile}, {"photo"})

    assert found.own_gpus == 2
    assert (found.plans["photo"].replicas, found.plans["photo"].first_gpu) == (2, 0)
    assert found.plans["profile"] == profile


@pytest.mark.parametrize("wanting", [{"photo", "review"}, None])
def test_equal_shares_when_something_is_unknown(wanting: set[str] | None) -> None:
    """The text encoder was not measured: Ray shares the GPUs out, one replica of each on every one."""
    found = arrange(2, {"photo": needing(0.3)}, wanting)

    assert found.own_gpus == 0
    assert (found.plans["photo"].replicas, found.plans["photo"].first_gpu) == (2, None)


@pytest.mark.parametrize(
    ("plan", "replicas"), [(Plan(replicas=4, rate=100), 4), (Plan(batch={"max_batch_rows": 9}), 3)]
)
def test_replicas_that_were_measured_on_cores_stay(plan: Plan, replicas: int) -> None:
    """A plan that only holds the user's batch says nothing about replicas: then there is one per GPU."""
    assert arrange(3, {"photo": plan}, None).plans["photo"].replicas == replicas


def test_without_gpus_plans_stay_as_they_are() -> None:
    """Also those that nobody measured: a worker per core, say."""
    plans = {"review": Plan(replicas=2), "photo": Plan(replicas=4, rate=100)}

    assert arrange(0, plans, {"review", "photo"}) == Arranged(plans, 0)
