"""Do off-policy estimates tell the truth? Logs of worlds in which every policy's value is known.

    python benchmarks/off_policy.py
    python benchmarks/off_policy.py --logs 100 --sound 50

Coverage: how often 95 % intervals hold the true value, over resampled logs, with expectations that are learned from
each log by cross-fitting as `amalgam evaluate` does; logs that are refused are counted apart. Refusals: how many sound
logs are refused, and how many broken ones are told the right reason. Time: one judgement of 10,000 decisions, and one
of as many episodes of up to 5.

Ends with 1 if doubly robust covers less often than in 93 or more often than in 97 of 100 logs, over all logs of a
world, or a breakage is not noticed in 95 of 100.
"""

from __future__ import annotations

import argparse
import math
import re
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from models.evaluate.behaviour import BehaviourModel
from models.evaluate.estimates import estimate
from models.evaluate.judgement import CHECKING_FOLDS, EPISODES, HEADLINE, MODEL_BASED, SINGLE, Judge
from models.evaluate.logged import Logged
from models.evaluate.refusals import refusals
from models.evaluate.reward_model import CrossFitted
from models.evaluate.seen import Seen
from tests.models.evaluate.test_refusals import BROKEN, Breakage
from tests.models.evaluate.worlds import TARGET, episode_value, episodes, seen, true_value, wide, wide_value

AIM = (0.93, 0.97)
NOTICED = 0.95
DRAWS = 1000
FIRST = 100  # logs, as the issue of coverage is usually put
ROWS = 10_000


@dataclass(frozen=True)
class World:
    """Logs of one kind, and what the judged policy is truly worth."""

    name: str
    log: Callable[[int], Seen]
    """Seed -> log."""
    truth: Callable[[], float]


WORLDS = (
    World("1,000 decisions, 2 of each customer", lambda seed: seen(1000, seed), true_value),
    World("800 decisions, nearly greedy", lambda seed: wide(800, seed), wide_value),
    World(
        "3,000 decisions, nearly greedy, uneven log", lambda s: wide(3000, s, uneven=1.0), lambda: wide_value(4, 1.0)
    ),
    World("400 episodes of up to 5", lambda seed: episodes(400, seed), lambda: episode_value(TARGET)),
    World("400 episodes, 4 of each patient", lambda s: episodes(400, s, per_group=4), lambda: episode_value(TARGET)),
)


def learned(log: Seen) -> Logged:
    """With expectations learned from this log."""
    return replace(log.logged, model=CrossFitted()(replace(log.logged, model=None), log.features))


def checked(log: Seen) -> Logged:
    """With modelled probabilities, against which propensities are held."""
    return replace(log.logged, behaviour=BehaviourModel(CHECKING_FOLDS)(log.logged, log.features))


def coverage(world: World, logs: int) -> dict[str, list[bool]]:
    """Estimator -> whether each log's interval held the truth; logs that are refused are left out."""
    held: dict[str, list[bool]] = {}
    for seed in range(logs):
        log = world.log(seed)
        if refusals(log.logged):
            continue
        logged = learned(log)
        for name, spec in (SINGLE if logged.following is None else EPISODES).items():
            if name not in MODEL_BASED:
                low, high = estimate(spec.build()(logged), logged, draws=DRAWS, seed=seed).interval
                held.setdefault(name, []).append(low <= world.truth() <= high)
    return held


def print_coverage(logs: int) -> bool:
    """One line per world and estimator; whether doubly robust is within the aim everywhere."""
    good = True
    _say(f"95 % intervals that hold the true value, of {logs:,} logs (of the first {FIRST})")
    for world in WORLDS:
        held = coverage(world, logs)
        _say(f"  {world.name}: {logs - len(held[HEADLINE])} refused")
        for name, hits in held.items():
            share, error = np.mean(hits), math.sqrt(np.mean(hits) * (1 - np.mean(hits)) / len(hits))
            first = f"{sum(hits[:FIRST])} of {len(hits[:FIRST])}"
            _say(f"    {name:22} {share:7.1%} ± {error:.1%}   ({first})")
        good &= bool(AIM[0] <= np.mean(held[HEADLINE]) <= AIM[1])
    return good


def print_refusals(sound: int) -> bool:
    """Why sound logs are refused, and what broken ones are told; whether each breakage is noticed."""
    _say(f"\nRefused, of {sound:,} sound logs")
    for world in WORLDS:
        told = [refusals(checked(world.log(seed))) for seed in range(sound)]
        few = sum(any("at least" in why or "may carry" in why for why in of) for of in told)
        weights = sum(any("weights must be 1" in why for why in of) for of in told)
        wrong = sum(any("propensities must be" in why for why in of) for of in told)
        _say(f"  {world.name}: {few} for too little, {weights} for their mean weight, {wrong} for their propensities")
    _say(f"\nBroken logs of 4,000 decisions told the right reason, of {FIRST}")
    logs = [checked(seen(4000, seed)) for seed in range(FIRST)]
    shares = {broken.__name__.strip("_"): _noticed(broken, reason, logs) for broken, reason in BROKEN}
    for name, share in shares.items():
        _say(f"  {name:22} {share:5.0%}")
    return min(shares.values()) >= NOTICED


def _noticed(broken: Breakage, reason: str, logs: Sequence[Logged]) -> float:
    told = [refusals(broken(log, np.random.default_rng(seed))) for seed, log in enumerate(logs)]
    return float(np.mean([any(re.search(reason, why) for why in of) for of in told]))


def print_times() -> None:
    """Seconds per judgement."""
    _say("\nOne judgement, 2,000 draws")
    for name, log in ((f"{ROWS:,} decisions", seen(ROWS, 0)), (f"{ROWS:,} episodes", episodes(ROWS, 0))):
        began = time.perf_counter()
        found = Judge()(log)
        _say(f"  {name}: {found.rows:,} rows, {time.perf_counter() - began:.1f} s")


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main(arguments: Sequence[str] | None = None) -> int:
    """The program."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--logs", type=int, default=1000, help="logs per world for coverage (default 1000)")
    parser.add_argument("--sound", type=int, default=200, help="sound logs per world (default 200)")
    asked = parser.parse_args(arguments)
    good = print_coverage(asked.logs)
    good &= print_refusals(asked.sound)
    print_times()
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
