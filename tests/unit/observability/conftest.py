from __future__ import annotations

from pathlib import Path

import joblib
import pytest
from sklearn.linear_model import LogisticRegression


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A folder with a model of four columns."""
    home = tmp_path / "iris"
    home.mkdir()
    rows = [[5.1, 3.5, 1.4, 0.2], [6.7, 3.0, 5.2, 2.3]]
    joblib.dump(LogisticRegression().fit(rows, [0, 2]), home / "model.joblib")
    return home
