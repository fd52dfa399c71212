"""The way of every wake-up: a local model, or one in the cache."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from predictors.serving.errors import StorageError
from predictors.storage import fetched

REPOSITORY = Path(__file__).resolve().parents[3]
CODE = """
import sys
from predictors.storage import fetched, find_one
with fetched(sys.argv[1]) as folder:
    assert folder.is_dir()
dear = {"asyncio", "obstore", "fsspec", "ssl", "http", "socket", "tarfile", "urllib.request"}
print(sorted(dear & set(sys.modules)))
print(sorted(name for name in sys.modules if name.startswith("predictors.storage")))
"""


def test_a_local_model_imports_nothing_of_a_network(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CODE, str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        cwd=REPOSITORY,
    )
    dear, ours = done.stdout.splitlines()
    assert dear == "[]"
    assert ours.count("'") == 2 * 4, ours


def test_odd_names_of_local_models(tmp_path: Path) -> None:
    for name in ("a#b", "a?b", "a b", "é"):
        (tmp_path / name).mkdir()
        with fetched(str(tmp_path / name)) as folder:
            assert folder.name == name
    with pytest.raises(StorageError, match="does not exist"), fetched("/a\0b"):
        pass
