"""Evaluation: metrics and estimators with their uncertainty."""

from pkgutil import extend_path

__path__ = extend_path(__path__, __name__)

HELPERS = frozenset(
    {
        "behaviour",
        "calibration",
        "comparison",
        "curves",
        "estimates",
        "folds",
        "judgement",
        "label_judge",
        "logged",
        "metrics",
        "refusals",
        "reward_model",
        "ridge",
        "seen",
        "support",
    }
)
"""Files that define no kind: `discover` leaves them alone, so that a list of kinds needs no torch."""
