"""How actors share GPUs: equally where nothing is known of them, by measured memory where it is."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Final, NamedTuple

from transforms.workers.layout import Plan

HEADROOM: Final = 1.2  # batches of a run are larger than those of the probe now and then: longer texts, more rows
CONTEXT_BYTES: Final = 600 << 20  # of CUDA itself, in each process; torch does not count them (0.3 to 0.6 GB by card)


def share_of(gpus: float, actors: int) -> float:
    """GPUs for each of `actors`: whole ones, or a fraction that lets all of them find a place, in Ray's four decimals.

    An actor lies on one GPU, so five on two GPUs are three on one of them: 1/3 and not 2/5, of which only four fit.
    """
    if gpus >= actors:
        return float(int(gpus / actors))
    share = gpus / actors if gpus < 1 else 1 / math.ceil(actors / int(gpus))
    return _decimals(share)


class Arranged(NamedTuple):
    """Who runs where."""

    plans: dict[str, Plan]
    own_gpus: int
    """GPUs that the plans share out; 0: Ray shares them out."""


def arrange(
    gpus: float, plans: Mapping[str, Plan], wanting: Collection[str] | None, replicas: int | None = None
) -> Arranged:
    """The plans with the number of replicas that the GPUs suggest, and with seats where all is known.

    Args:
        gpus: for all encoders together.
        plans: as found out.
        wanting: the ops that would use a GPU; None when nothing is known of them. Memory decides only if it was
            measured for all of these: then the others want none.
        replicas: where the user gave a number.
    """
    if not gpus:
        return Arranged(dict(plans), 0)
    measured = {name: plan for name, plan in plans.items() if plan.device_memory}
    if measured and wanting is not None and measured.keys() >= set(wanting):
        return Arranged({**plans, **seated(gpus, measured, replicas)}, max(1, int(gpus)))
    suggested = {"replicas": replicas or max(1, int(gpus))}
    on_cores = {name for name, plan in plans.items() if plan.rate is not None and not plan.device_memory}
    return Arranged({n: p if n in on_cores else p.model_copy(update=suggested) for n, p in plans.items()}, 0)


def seated(gpus: float, plans: Mapping[str, Plan], replicas: int | None = None) -> dict[str, Plan]:
    """Plans of encoders that were measured on a GPU, with their number of replicas, their GPUs, and their memory there.

    Replica i of encoder j sits on GPU (j·r + i) mod n, where r, the replicas of each, is as large as memory allows. (By
    fractions of a GPU, Ray would put the first two replicas of one encoder on the same GPU.) Encoders that share a GPU
    may take its memory in proportion to what was measured.

    Args:
        gpus: of this machine, for all of them together.
        plans: with `memory` and `device_memory`.
        replicas: of each, where the user gave a number.
    """
    count = max(1, int(gpus))
    needs = {name: (p.memory * HEADROOM + CONTEXT_BYTES) / p.device_memory for name, p in plans.items()}
    fitting = [r for r in range(1, count + 1) if max(_loads(count, needs, r)) <= 1]
    each = replicas or max(fitting, default=1)  # where not even one of each fits, it is tried, and batches are halved
    loads = _loads(count, needs, each)
    found = {}
    for j, (name, plan) in enumerate(plans.items()):
        crowd = max(loads[(j * each + i) % count] for i in range(each))
        found[name] = plan.model_copy(
            update={"replicas": each, "first_gpu": j * each % count, "gpus": 0.0, "memory_share": needs[name] / crowd}
        )
    return found


def _loads(count: int, needs: Mapping[str, float], each: int) -> list[float]:
    """Part of each GPU's memory that is needed there."""
    loads = [0.0] * count
    for j, need in enumerate(needs.values()):
        for i in range(each):
            loads[(j * each + i) % count] += need
    return loads


def visible_gpu(number: int, visible: str | None, gpus: int) -> str:
    """What CUDA_VISIBLE_DEVICES must be for the process that sits on the GPU of this number, modulo those there are.

    Args:
        number: from `Plan.first_gpu` on.
        visible: CUDA_VISIBLE_DEVICES of the run; None or empty where it is not set: all GPUs.
        gpus: how many the run may use.
    """
    seats = [entry.strip() for entry in visible.split(",")] if visible else [str(k) for k in range(max(1, gpus))]
    return seats[number % min(max(1, gpus), len(seats))]


def _decimals(share: float) -> float:
    return int(share * 10_000) / 10_000
