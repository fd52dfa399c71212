"""Translation in a process of its own: low priority, bounded time, owned and reaped.

It unpickles the original under the server's own policy, in a process that keeps nothing of it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from predictors.twins.memory import memory_left, own_memory
from predictors.twins.store import Found, Place

__all__ = ["translate_later", "translate_now"]

_log = logging.getLogger(__name__)

_DELAY_SECONDS: Final = 5.0
"""A wake-up's first requests come first."""
_SECONDS: Final = 300.0
_LIKE_ITSELF: Final = 1.25
"""The translation loads what the server has loaded, and holds two answers against each other."""
_NOW_SECONDS: Final = 120.0


def translate_now(framework: str, file: Path, place: Place) -> Found:
    """Make the twin of `file` and wait for it; what came of it."""
    with tempfile.TemporaryDirectory(prefix="rouse-twin-") as scratch:
        target = place if place.writable() else place._replace(folder=Path(scratch))
        argv = _command("predictors.twins", framework, file, target)
        try:
            done = subprocess.run(
                argv, env=_environment(), capture_output=True, text=True, timeout=_NOW_SECONDS
            )
        except subprocess.TimeoutExpired:
            return Found(None, f"the translation took more than {_NOW_SECONDS:g} s")
        found = target.find()
        if found.description is None and not found.settled:
            told = done.stderr.strip().splitlines()
            return Found(None, told[-1] if told else f"the translation exited {done.returncode}")
        return found


async def translate_later(
    framework: str, file: Path, place: Place, *, delay: float = _DELAY_SECONDS
) -> None:
    """Make the twin of `file` for the next start, after `delay` seconds.

    Cancelled, it kills the process and waits for its end. One that ends otherwise without a twin
    or a reason is not begun again for hours: it may have cost a container its memory.
    """
    await asyncio.sleep(delay)
    left = memory_left()
    if left is not None and left < _LIKE_ITSELF * own_memory():
        _log.info("no translation of %s: the container's memory has %d bytes left", file, left)
        return
    try:
        place.begin()
        told = await _answer(_command("predictors.twins.background", framework, file, place))
        _log.info("twin: %s", told)
    except TimeoutError:
        _log.warning("the translation of %s took more than %g s and was ended", file, _SECONDS)
    except OSError as error:
        _log.warning("no translation of %s: %s", file, error)
    except asyncio.CancelledError:
        place.give_up()
        raise


async def _answer(argv: Sequence[str]) -> str:
    """What the process said, or its exit code. Raises `TimeoutError`, `OSError`."""
    process = await asyncio.create_subprocess_exec(
        *argv,
        env=_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(_SECONDS):
            told, _ = await process.communicate()
        return told.decode(errors="replace").strip() or f"exit code {process.returncode}"
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def _command(module: str, framework: str, file: Path, place: Place) -> Sequence[str]:
    argv = [sys.executable, "-m", module, "translate", str(file)]
    argv += [f"--framework={framework}", f"--into={place.folder}", "--with-parent"]
    return argv


def _environment() -> dict[str, str]:
    """The server's own, but one thread, and no share in its sockets and logs."""
    private = ("ROUSE_LISTEN_FD", "ROUSE_NOTIFY_SOCKET", "ROUSE_WARM_FD", "ROUSE_LOGGER_URL")
    kept = {name: value for name, value in os.environ.items() if name not in private}
    return {**kept, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "PREDICT_PROBA": ""}
