"""How good and how fast is q_learning beside d3rlpy's DiscreteCQL? Logged Acrobot of mixed quality, the same updates.

    python benchmarks/acrobot.py --updates 10000 --seeds 3

The log: a third of the episodes each by a random policy, by a hand-made one (torque along the second joint's velocity,
which pumps energy in), and by that one with every second action drawn at random. Both learners get the same
transitions, γ = 0.99, α = 1, two layers of 128 units, batches of 256, learning rate 1e-3 and the same number of
updates. d3rlpy's defaults are Atari's: its target is copied every 200 updates here, not 8,000. It runs twice: as it
is, and with its own scalers of observations and returns; ours always scales both. Policies are then run in the real
environment, greedily, from the same starts.

Time per update: wall time and processor time of the training call by its updates, in one process with one thread.

gymnasium and d3rlpy are no dependencies of Amalgam: they are installed into an environment of their own (--folder).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import mean
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks import environment

ROOT = Path(__file__).parents[1]

ADDED = ("d3rlpy==2.8.1", "gymnasium==1.0.0")
SHARED = ("numpy", "torch")
GAMMA, ALPHA, HIDDEN, BATCH, RATE = 0.99, 1.0, 128, 256, 1e-3
TARGET_INTERVAL = 200  # d3rlpy's, in updates
ACTIONS = ("-1", "0", "1")  # torque

Array = npt.NDArray[Any]
Act = Callable[[Array], int]


class Clock:
    """Wall and processor time since it was made; the latter does not see what else the machine does."""

    def __init__(self) -> None:
        self._wall, self._processor = time.perf_counter(), time.process_time()

    def per(self, updates: int) -> dict[str, float]:
        """Milliseconds per update."""
        wall, processor = time.perf_counter() - self._wall, time.process_time() - self._processor
        return {"ms_per_update": 1e3 * wall / updates, "processor_ms_per_update": 1e3 * processor / updates}


class Log(NamedTuple):
    """Transitions, an episode's together."""

    observations: Array  # [N, 6]
    actions: Array  # [N]
    rewards: Array  # [N]
    chances: Array  # [N] with which the actions were drawn
    episodes: Array  # [N]
    terminated: Array  # [N]
    last: Array  # [N] end of an episode, or its cut


def main() -> None:
    """Run it in the environment that has the peer, which is made first where needed."""
    arguments = parser().parse_args()
    if arguments.inside:
        sys.stdout.write(json.dumps(compare(arguments.updates, arguments.seeds, arguments.episodes), indent=2) + "\n")
        return
    interpreter = environment.python(arguments.folder, ADDED, SHARED)
    own = [f"--{name}={getattr(arguments, name)}" for name in ("updates", "seeds", "episodes")]
    subprocess.run([interpreter, __file__, "--inside", *own], check=True)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--updates", type=int, default=10_000)
    made.add_argument("--seeds", type=int, default=3)
    made.add_argument("--episodes", type=int, default=150, help="logged episodes")
    made.add_argument("--folder", type=Path, default=ROOT / "build" / "acrobot")
    made.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    return made


def compare(updates: int, seeds: int, episodes: int) -> dict[str, Any]:
    """Mean return in the environment and milliseconds per update, of every way and seed."""
    import torch

    torch.set_num_threads(1)
    ways: dict[str, Callable[[Log, int, int], tuple[Act, dict[str, float]]]] = {
        "amalgam": amalgam,
        "d3rlpy": d3rlpy_plain,
        "d3rlpy, scaled": d3rlpy_scaled,
    }
    found: dict[str, list[dict[str, float]]] = {name: [] for name in ways}
    log_returns = []
    for seed in range(seeds):
        log = logged(episodes, seed)
        log_returns.append(float(np.bincount(log.episodes, log.rewards).mean()))
        for name, way in ways.items():  # in turn, so that a busy machine disturbs all alike
            act, times = way(log, updates, seed)
            found[name].append({"return": played(act), **times})
            sys.stderr.write(f"seed {seed}, {name}: {found[name][-1]}\n")
    means = {name: {key: mean(one[key] for one in runs) for key in runs[0]} for name, runs in found.items()}
    return {"log": mean(log_returns), "mean": means, "seeds": found}


def logged(episodes: int, seed: int) -> Log:
    """Episodes of three qualities."""
    import gymnasium

    world, rng = gymnasium.make("Acrobot-v1"), np.random.default_rng(seed)
    columns: list[list[Any]] = [[] for _ in Log._fields]
    for episode in range(episodes):
        at_random = (1.0, 0.5, 0.0)[episode % 3]
        observation, _ = world.reset(seed=int(rng.integers(2**31)))
        ended = cut = False
        while not (ended or cut):
            chances = np.full(3, at_random / 3)
            chances[2 if observation[5] > 0 else 0] += 1 - at_random
            action = int(rng.choice(3, p=chances))
            after, reward, ended, cut, _ = world.step(action)
            row = (observation, action, reward, chances[action], episode, ended, ended or cut)
            for column, value in zip(columns, row, strict=True):
                column.append(value)
            observation = after
    return Log(*(np.array(column) for column in columns))


def played(act: Act, episodes: int = 20) -> float:
    """Mean return in the environment, from the same starts for everyone."""
    import gymnasium

    world, total = gymnasium.make("Acrobot-v1"), 0.0
    for episode in range(episodes):
        observation, _ = world.reset(seed=10_000 + episode)
        over = False
        while not over:
            observation, reward, ended, cut, _ = world.step(act(observation))
            total, over = total + float(reward), ended or cut
    return total / episodes


def amalgam(log: Log, updates: int, seed: int) -> tuple[Act, dict[str, float]]:
    """`q_learning` on the observation as its one modality, through a fusion that stays as it is."""
    import pyarrow as pa
    import torch

    from models.fusion.weighted_sum import WeightedSumSpec
    from models.heads.q_learning import QLearningHeadSpec
    from models.learn.decisions import Decisions

    rows = np.arange(len(log.actions))
    decisions = Decisions(
        inputs={"state": log.observations.shape[1]},
        x=log.observations.astype(np.float32)[:, None],
        mask=np.ones((len(rows), 1), np.bool_),
        action=log.actions.astype(np.int64),
        reward=log.rewards.astype(np.float64),
        propensity=log.chances.astype(np.float64),
        allowed=np.ones((len(rows), len(ACTIONS)), np.bool_),
        groups=pa.array([str(episode) for episode in log.episodes]),
        episode=log.episodes.astype(np.int64),
        following=np.where(log.last, -1, rows + 1),
        terminated=log.terminated.astype(np.bool_),
    )
    steps = {
        "steps": updates,
        "batch_rows": BATCH,
        "learning_rate": RATE,
        "conservative": ALPHA,
        "value_steps": 1,  # the published policy's own values are not what is compared
        "seed": seed,
        "device": "cpu",
    }
    columns = {"action": "action", "reward": "reward", "episode": "episode", "step": "step"}
    spec = QLearningHeadSpec.model_validate(
        {**columns, "gamma": GAMMA, "hidden": HIDDEN, "tune_fusion": False, "learner": steps}
    ).with_actions(pa.array(ACTIONS), WeightedSumSpec(dim=16, inputs=decisions.inputs))
    clock = Clock()
    fitted = spec.steps.build().fit(spec, None, decisions, decisions.take(np.zeros(0, np.int64)))
    times = clock.per(updates)
    module, mask = fitted.module, torch.ones(1, 1, dtype=torch.bool)

    @torch.inference_mode()
    def act(observation: Array) -> int:
        outputs = module(torch.from_numpy(observation.astype(np.float32))[None, None], mask)
        return int(outputs[0, : len(ACTIONS)].argmax())

    return act, times


def d3rlpy_plain(log: Log, updates: int, seed: int) -> tuple[Act, dict[str, float]]:
    """DiscreteCQL without scalers."""
    return _d3rlpy(log, updates, seed, {})


def d3rlpy_scaled(log: Log, updates: int, seed: int) -> tuple[Act, dict[str, float]]:
    """DiscreteCQL with d3rlpy's own scalers: observations standardized, rewards by the spread of returns."""
    from d3rlpy.preprocessing import ReturnBasedRewardScaler, StandardObservationScaler

    return _d3rlpy(
        log,
        updates,
        seed,
        {"observation_scaler": StandardObservationScaler(), "reward_scaler": ReturnBasedRewardScaler()},
    )


def _d3rlpy(log: Log, updates: int, seed: int, scalers: dict[str, Any]) -> tuple[Act, dict[str, float]]:
    import d3rlpy

    d3rlpy.seed(seed)
    dataset = d3rlpy.dataset.MDPDataset(
        log.observations.astype(np.float32),
        log.actions[:, None].astype(np.int64),
        log.rewards[:, None].astype(np.float32),
        log.terminated.astype(np.float32),
        timeouts=(log.last & ~log.terminated).astype(np.float32),
        action_space=d3rlpy.ActionSpace.DISCRETE,
    )
    learner = d3rlpy.algos.DiscreteCQLConfig(
        batch_size=BATCH,
        gamma=GAMMA,
        learning_rate=RATE,
        target_update_interval=TARGET_INTERVAL,
        alpha=ALPHA,
        encoder_factory=d3rlpy.models.VectorEncoderFactory([HIDDEN, HIDDEN]),
        **scalers,
    ).create(device="cpu")
    learner.build_with_dataset(dataset)
    clock = Clock()
    learner.fit(
        dataset,
        n_steps=updates,
        n_steps_per_epoch=updates,
        show_progress=False,
        save_interval=10**9,
        logger_adapter=d3rlpy.logging.NoopAdapterFactory(),
    )
    times = clock.per(updates)
    return lambda observation: int(learner.predict(observation[None].astype(np.float32))[0]), times


if __name__ == "__main__":
    main()
