"""A model's files for the length of a block, wherever they are."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from predictors.serving.errors import StorageError
from predictors.storage.local import local_path
from predictors.storage.uris import resolved

__all__ = ["CACHE", "KEPT", "Progress", "fetched"]

CACHE: Final = "ROUSE_MODEL_CACHE"
"""The variable that names the node's cache of models: a folder, or several that are read, with a
colon between them; the first is the one that is written."""
KEPT: Final = "ROUSE_MODEL_CACHE_KEPT"
"""The variable that, when not empty, says that an agent keeps that cache up to date."""

Progress = Callable[[int, int], None]
"""Told bytes done and bytes in all (0: unknown) of a download; never by two threads at once."""


@contextmanager
def fetched(
    uri: str,
    *,
    env: Mapping[str, str] = os.environ,
    scratch: Path | None = None,
    progress: Progress | None = None,
) -> Iterator[Path]:
    """The folder (or the single local file) of a model.

    A local path is yielded as it is. With ROUSE_MODEL_CACHE the folder of the cache's entry is
    yielded, fetched first if it has none: it stays and must not be written to. Otherwise, or when
    the cache has no entry and is read-only or an agent's, the model is downloaded to ``scratch``
    (the system's temporary folder when None) and gone afterwards.

    ``progress`` is told bytes done and bytes in all (0: unknown) now and then, by any thread. It
    blocks: call it from a thread, not from an event loop. Raises `StorageError` naming the
    location, its scheme, and what to do.
    """
    uri = resolved(uri, env)
    scheme = uri.partition("://")[0] if "://" in uri else ""
    if scheme in ("", "file") or uri.startswith("/"):
        yield local_path(uri)
        return
    if scheme == "pvc":
        raise StorageError(
            f"{uri}: a pvc:// volume is mounted by the platform, and the server is given the "
            "folder; pass the mounted folder with --model_dir."
        )
    roots = [Path(each) for each in env.get(CACHE, "").split(os.pathsep) if each]
    entry = None
    if roots and env.get(KEPT):
        # What an agent keeps it alone writes, whether the mount holds others to that or not.
        from predictors.storage.kept import kept_entry

        found = (kept_entry(root, uri, env) for root in roots)
        entry = next((each for each in found if each is not None), None)
    elif roots:
        from predictors.storage.cache import Cache

        entry = Cache(roots[0]).fetch(uri, env=env, progress=progress)
    if entry is not None:
        yield entry.folder
        return
    from tempfile import TemporaryDirectory

    from predictors.storage.download import download

    with TemporaryDirectory(prefix="rouse-model-", dir=scratch) as folder:
        yield download(uri, Path(folder), env=env, progress=progress)
