"""``kserve.storage.Storage``: fetching a model from wherever it is."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from predictors.storage import fetched
from predictors.storage.fetching import CACHE

__all__ = ["Storage"]


class Storage:
    """Downloads by URI; a path of this machine is used where it is."""

    @staticmethod
    def download(uri: str, out_dir: str | None = None) -> str:
        """The folder that has the model: `out_dir`, a new one, or where it is already."""
        stays = "://" not in uri or uri.startswith("file:") or bool(os.environ.get(CACHE))
        with fetched(uri, env=os.environ) as found:
            if out_dir is None and stays:
                return str(found)
            target = Path(out_dir or tempfile.mkdtemp(prefix="kserve-"))
            if found.is_file():
                target.mkdir(parents=True, exist_ok=True)
                shutil.copy2(found, target)
            else:
                shutil.copytree(found, target, dirs_exist_ok=True)
            return str(target)
