"""The few scores of truth/best.json."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.scenarios.metrics import auc, log_likelihood, mae, r2


def test_metrics_of_four_rows() -> None:
    """AUC: of four pairs three are in order; log-likelihood, R² and MAE by hand."""
    label = np.array([False, True, False, True])
    assert auc(label, np.array([0.1, 0.4, 0.5, 0.8])) == 0.75
    assert auc(label, np.array([0.5, 0.5, 0.5, 0.5])) == 0.5
    assert log_likelihood(label, np.full(4, 0.5)) == pytest.approx(np.log(0.5))
    target = np.array([1.0, 3.0])  # variance 1
    assert r2(target, np.array([2.0, 3.0])) == 0.5  # residuals 1 and 0: mean square 0.5
    assert mae(target, np.array([2.0, 3.0])) == 0.5
