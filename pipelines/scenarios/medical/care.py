"""What can be done for a patient: order a test or treat, what it brings, and what may be done when."""

from __future__ import annotations

import numpy as np

from pipelines.scenarios.medical.world import DIAGNOSES, TESTS
from pipelines.scenarios.streams import Bools, Floats, Ints

TREATMENTS = ("antibiotics", "diuretics", "inhaler", "rest")
ACTIONS = (*TESTS, *TREATMENTS)
MOST_STEPS = len(TESTS) + 1  # no test twice, so the last one treats
GAMMA = 0.95

COSTS = np.array([0.7, 0.6, 0.6, 1.0])
"""Of each test."""
BENEFITS = np.array(
    [  # asthma, bronchitis, heart failure, pneumonia
        [-5.0, 1.0, -6.0, 10.0],  # antibiotics
        [-6.0, -4.0, 10.0, -6.0],  # diuretics
        [10.0, 1.0, -5.0, -4.0],  # inhaler
        [-4.0, 6.0, -8.0, -8.0],  # rest
    ]
)
"""Expected reward of each treatment with each diagnosis."""
BENEFIT_NOISE = 1.0  # standard deviation of what a treatment brings


def allowed_actions(done: Bools) -> Bools:
    """`[n, 8]`: no test twice, every treatment; from the tests done `[n, 4]`."""
    return np.concatenate([~done, np.ones((len(done), len(TREATMENTS)), dtype=np.bool_)], axis=1)


def expected_rewards(diagnosis: Ints) -> Floats:
    """`[n, 8]` expected reward of each action in this very step."""
    tests = np.broadcast_to(-COSTS, (len(diagnosis), len(TESTS)))
    return np.concatenate([tests, BENEFITS[:, diagnosis].T], axis=1)


def ends(action: Ints) -> Bools:
    """`[n]` whether the action is a treatment: nothing follows it."""
    return np.asarray(action >= len(TESTS))


def after(done: Bools, action: Ints) -> Bools:
    """`[n, 4]` the tests done after these actions."""
    return np.asarray(done | (np.arange(len(TESTS)) == action[:, None]))


_CORRECT = tuple(TREATMENTS[i] for i in BENEFITS.argmax(axis=0))
RIGHT = dict(zip(DIAGNOSES, _CORRECT, strict=True))
"""Diagnosis -> the treatment that is best for it."""
