"""The best reachable scores of the medical scenario, and what policies are worth in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pipelines.scenarios import truth
from pipelines.scenarios.decisions import decide
from pipelines.scenarios.medical import care
from pipelines.scenarios.medical.course import Patients, admitted
from pipelines.scenarios.medical.logged import log
from pipelines.scenarios.medical.planning import optimal_values
from pipelines.scenarios.medical.world import DIAGNOSES, PRIOR, WORLD
from pipelines.scenarios.quadratic import softmax
from pipelines.scenarios.streams import Floats, Ints, Stream, uniforms

PATIENTS = 8_000  # and as many rows: standard error of a policy's value below 0.08, of an accuracy below 0.005
_PLANNED = 2_000  # of them for the dynamic program: half a millisecond each
_SEED = 0  # of the world that is drawn here; a property of the scenario, not of a data set


def scores(diagnosis: Ints, log_belief: Floats) -> dict[str, float]:
    """Accuracy and mean log-likelihood (nats) of these beliefs `[n, 4]`, and their mean over diagnoses."""
    chances = softmax(log_belief)
    right = chances.argmax(axis=1) == diagnosis
    return {
        "accuracy": float(right.mean()),
        "balanced_accuracy": float(np.mean([right[diagnosis == index].mean() for index in range(len(DIAGNOSES))])),
        "log_likelihood": float(np.log(chances[np.arange(len(chances)), diagnosis]).mean()),
    }


def value_of(policy: Callable[[Patients], Floats], patients: Patients) -> tuple[float, float]:
    """Mean discounted return of a policy that knows what the views show exactly, and its standard error.

    Args:
        policy: from patients to probabilities `[n, 8]`.
        patients: at the first step.
    """
    count = len(patients)
    place = np.arange(count)
    draws = uniforms(patients.seed, Stream.SIMULATION, patients.who.subject[:, None], care.MOST_STEPS)
    total = np.zeros(count)
    for step in range(care.MOST_STEPS):
        action = decide(policy(patients), draws[place, step]).action
        rewards = care.expected_rewards(patients.diagnosis)
        total[place] += care.GAMMA**step * rewards[np.arange(len(patients)), action]
        runs_on = ~care.ends(action)
        patients, place = patients.after(action).take(runs_on), place[runs_on]
    return float(total.mean()), float(total.std() / np.sqrt(count))


def policy_values(count: int = PATIENTS) -> dict[str, float]:
    """Mean discounted return of an episode under the logging policy and better ones.

    `best_policy` is the dynamic program's value (see `planning`): a policy that can be followed reaches it, and no
    policy that sees what the views show reaches 0.01 more. `oracle` knows the diagnosis.
    """
    patients = admitted(_SEED, np.arange(count))
    belief = softmax(patients.log_belief())
    logged, error = value_of(Patients.logged_chances, patients)
    return {
        "logging_policy": logged,
        "logging_policy_standard_error": error,
        "best_policy": float(optimal_values(belief[:_PLANNED]).max(axis=1).mean()),
        "treat_at_once": float((belief @ care.BENEFITS.T).max(axis=1).mean()),
        "oracle": float(PRIOR @ care.BENEFITS.max(axis=0)),
    }


def best(count: int = PATIENTS) -> dict[str, Any]:
    """What truth/best.json holds."""
    patients = log(_SEED, np.arange(count), count).patients
    diagnosis = patients.diagnosis
    everything = truth.compared(
        WORLD.modalities,
        lambda known: {"diagnosis": scores(diagnosis, patients.log_belief(tuple(known)))},
        {"diagnosis": "log_likelihood"},
    )
    return {"rows": count, **everything, "reward": policy_values(count), "gamma": care.GAMMA}
