"""What `import sklearn` leaves out until it is asked for; each case in a process of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest

PREPARED = """
import sys
from predictors.sklearn.runtime import RUNTIME
RUNTIME.prepare()
from types import ModuleType
assert type(sys.modules["scipy.stats"]).__name__ == "_Deferred"
"""

CASES = {
    "pandas is found again": """
assert "pandas" not in sys.modules
import pandas
assert pandas.DataFrame({"a": [1]}).shape == (1, 1)
""",
    "a function that scikit-learn imported by name works": """
from sklearn.metrics import label_ranking_average_precision_score as score
assert score([[1, 0, 0]], [[0.75, 0.5, 1]]) == 0.5
from sklearn.isotonic import IsotonicRegression
assert IsotonicRegression(increasing="auto").fit([1, 2, 3], [1, 2, 3]).predict([2])[0] == 2
""",
    "an estimator that uses distributions works": """
import numpy as np
from sklearn.preprocessing import QuantileTransformer
made = QuantileTransformer(n_quantiles=5, output_distribution="normal")
assert abs(made.fit_transform(np.arange(11.0)[:, None])[5, 0]) < 1e-6
""",
    "blocks may be nested, and what came meanwhile stays": """
from predictors.tabular.diet import lean_imports
with lean_imports():
    with lean_imports():
        pass
    import pandas
assert sys.modules["pandas"] is pandas
""",
    "several threads may ask at once": """
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
import scipy.stats
stats, together = scipy.stats, Barrier(8)
sys.setswitchinterval(1e-6)
def ask(_):
    together.wait(10)
    return stats.norm
with ThreadPoolExecutor(8) as threads:
    assert len({id(each) for each in threads.map(ask, range(8))}) == 1
""",
    "an optimizer works": """
from scipy.optimize import rosen, shgo
assert type(sys.modules["scipy.optimize._shgo"]).__name__ == "_Deferred"
assert shgo(rosen, [(0, 2), (0, 2)]).fun < 1e-6
""",
    "NumPy's test tools work": """
import numpy
assert type(sys.modules["numpy.testing"]).__name__ == "_Deferred"
numpy.testing.assert_allclose(1, 1)
from numpy.testing import assert_equal
assert_equal(1, 1)
assert numpy.f2py.get_include().endswith("src")
""",
    "a module below scipy.stats is the package's own": """
from scipy.stats._distn_infrastructure import rv_continuous
import scipy.stats
assert type(scipy.stats) is ModuleType and sys.modules["scipy.stats"] is scipy.stats
assert isinstance(scipy.stats.norm, rv_continuous)
""",
    "a pickled distribution is read": """
import base64, pickle
scipy_stats = base64.b64decode("{pickled}")
assert pickle.loads(scipy_stats).cdf(1) == 0.5
""",
}


@pytest.mark.parametrize("case", CASES)
def test_deferred(case: str) -> None:
    code = CASES[case]
    if "{pickled}" in code:
        code = code.replace("{pickled}", pickled_normal())
    done = run(PREPARED + code)
    assert done.returncode == 0, done.stderr


def test_what_is_imported_already_stays() -> None:
    code = """
import sys, scipy.stats, pandas
from predictors.sklearn.runtime import RUNTIME
RUNTIME.prepare()
assert sys.modules["scipy.stats"] is scipy.stats and sys.modules["pandas"] is pandas
"""
    done = run(code)
    assert done.returncode == 0, done.stderr


def pickled_normal() -> str:
    code = (
        "import base64, pickle, scipy.stats;"
        "print(base64.b64encode(pickle.dumps(scipy.stats.norm(1, 2))).decode())"
    )
    return run(code).stdout.strip()


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
