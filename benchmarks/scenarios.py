"""What do the shipped job files learn? Each scenario, trained as it comes, against what its truth allows.

    python benchmarks/scenarios.py --rows 8000
    python benchmarks/scenarios.py --scenarios medical --rows 4000 --episodes 500 --keep build/learned

The real commands make the data, fit and train; nothing is set but the output. Then, per head with labels: each
modality alone, fused, and the best that can be reached (`truth/best.json`); each modality taken away, beside a model
that never had it. Per decision head, once as shipped and once as policy_gradient: the true value of the learned policy
in the scenario's own world, beside the logging policy's and the best one's. Ends with 0 if every aim is reached:

- fused above the best single modality on every head, and 90 % of the way from the baseline to the best reachable;
- with a modality absent, no more than 2 points below a model without it;
- the policy 90 % of the way from the logging policy's value to the best one's;
- training in at most 10 minutes.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.learned.absent import absences
from benchmarks.learned.policy import TrainedPolicy
from models.artifacts import load_card
from pipelines.config import load_job
from pipelines.job import Job
from pipelines.recipes import head_folder, label_heads, policies
from pipelines.scenarios import create
from pipelines.scenarios.base import Scenario, find, names
from pipelines.scenarios.simulate import simulate

GOAL_WAY = 0.9  # from the baseline to the best reachable, and from the logging policy to the best one
GOAL_LOST = 0.02
GOAL_SECONDS = 600.0
TRUTH_NAME = {"roc_auc": "auc"}  # of a metric, where truth/best.json has another one
WORLD_SEED = 1_000_003  # of the subjects that policies are tried on: no data set here is drawn from it
ANOTHER = {"q_learning": "policy_gradient", "policy_gradient": "q_learning"}


@dataclass(frozen=True)
class Aim:
    """One line of the result."""

    what: str
    value: float
    goal: str
    reached: bool
    note: str = ""

    def __str__(self) -> str:
        return f"{'ok  ' if self.reached else 'MISS'} {self.what:58} {self.value:9.4f}  {self.goal:14} {self.note}"


def command(*arguments: str) -> float:
    """Run `amalgam` to its end; seconds."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", "pipelines", *arguments], check=True, env=dict(os.environ))
    return time.perf_counter() - start


def measured(scenario: Scenario, folder: Path, rows: int, episodes: int) -> Iterator[Aim]:
    """All aims of one scenario, from its data in `folder`, which is made where it is missing."""
    if not (folder / "job.yaml").exists():
        create(folder, scenario.name, rows=1, history=rows, nights=1)
    job_file, best = str(folder / "job.yaml"), json.loads((folder / "truth" / "best.json").read_text())
    command("fit", job_file)
    seconds = command("train", job_file)
    yield Aim(f"{scenario.name}: seconds of training", seconds, f"<= {GOAL_SECONDS:.0f}", seconds <= GOAL_SECONDS)
    job = load_job(Path(job_file))
    for head in label_heads(job):
        yield from _label_aims(scenario.name, head, load_card(head_folder(job, head))["metrics"]["rows"], best)
    for absence in absences(job):
        note = f"{absence.metric} {absence.masked:.4f} against {absence.never_had:.4f}"
        what = f"{scenario.name}: {absence.head} loses without {absence.modality}"
        yield Aim(what, absence.lost, f"<= {GOAL_LOST}", absence.lost <= GOAL_LOST, note)
    yield from _policy_aims(scenario, job, best, episodes)
    for head, spec in policies(job).items():
        kind = ANOTHER[spec.kind]
        setting = f"heads.{head}.kind={kind}"
        command("train", job_file, "--set", setting)
        yield from _policy_aims(scenario, load_job(Path(job_file), [setting]), best, episodes)


def _label_aims(scenario: str, head: str, rows: Sequence[dict[str, Any]], best: dict[str, Any]) -> Iterator[Aim]:
    values = {row["predictor"]: row["metrics"] for row in rows if row["pattern"] == "all"}
    metric = rows[0]["headline"]
    base, fused = values.pop("baseline")[metric], values.pop("fused")[metric]
    top = max(values, key=lambda name: values[name][metric])
    margin = fused - values[top][metric]
    yield Aim(f"{scenario}: {head}, fused above {top}", margin, "> 0", margin > 0, f"{metric} {fused:.4f}")
    reachable = best["all"][head][TRUTH_NAME.get(metric, metric)]
    way = (fused - base) / (reachable - base)
    note = f"{metric} {base:.4f} -> {fused:.4f} of {reachable:.4f}"
    yield Aim(f"{scenario}: {head}, way to the best reachable", way, f">= {GOAL_WAY}", way >= GOAL_WAY, note)


def _policy_aims(scenario: Scenario, job: Job, best: dict[str, Any], episodes: int) -> Iterator[Aim]:
    worth = next(part for part in best.values() if isinstance(part, dict) and "best_policy" in part)
    low, high = worth["logging_policy"], worth["best_policy"]
    for head, spec in policies(job).items():
        policy = TrainedPolicy(job, head, scenario.decision.actions)
        value = simulate(scenario, policy, episodes, WORLD_SEED)
        way = (value.mean - low) / (high - low)
        note = f"{low:.3f} -> {value.mean:.3f} ± {value.standard_error:.3f} of {high:.3f}"
        yield Aim(
            f"{scenario.name}: {head} by {spec.kind}, way to the best policy",
            way,
            f">= {GOAL_WAY}",
            way >= GOAL_WAY,
            note,
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 0 if every aim is reached."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenarios", default=",".join(names()), help="which, separated by commas")
    parser.add_argument("--rows", type=int, default=8_000, help="of the history")
    parser.add_argument("--episodes", type=int, default=2_000, help="on which a policy is tried")
    parser.add_argument("--keep", type=Path, help="folder for data and models; else they are thrown away")
    options = parser.parse_args(arguments)
    reached = True
    with tempfile.TemporaryDirectory() as scratch:
        for name in options.scenarios.split(","):
            folder = (options.keep or Path(scratch)) / f"{name}-{options.rows}"
            for aim in measured(find(name), folder, options.rows, options.episodes):
                sys.stdout.write(f"{aim}\n")
                sys.stdout.flush()
                reached &= aim.reached
    return 0 if reached else 1


if __name__ == "__main__":
    sys.exit(main())
