"""Learners: one file per method that fits fusion and heads."""

from pkgutil import extend_path

__path__ = extend_path(__path__, __name__)

HELPERS = frozenset(
    {
        "acting",
        "checkpoints",
        "data",
        "deciding",
        "decisions",
        "encoder_labels",
        "encoder_learner",
        "encoder_pairs",
        "encoder_training",
        "episodes",
        "fitting",
        "inputs",
        "judging",
        "losses",
        "network",
        "optimizing",
        "preparing",
        "q_fitting",
        "split",
        "steps",
        "teams",
        "values",
    }
)
"""Files that define no kind: `discover` leaves them alone, so that a list of kinds needs no torch."""
