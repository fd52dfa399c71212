"""Several GPUs: a worker process for each, which sees no other. No driver is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

__all__ = ["own_gpu", "visible", "with_workers"]

_DEVICES: Final = Path("/dev")


def visible(env: Mapping[str, str], devices: Path = _DEVICES) -> list[str]:
    """The GPUs that this process may use, by the names CUDA_VISIBLE_DEVICES takes.

    Without that variable they are the devices that the container has.
    """
    listed = env.get("CUDA_VISIBLE_DEVICES")
    if listed is not None:
        return [name.strip() for name in listed.split(",") if name.strip() not in ("", "-1")]
    found = [file.name.removeprefix("nvidia") for file in devices.glob("nvidia[0-9]*")]
    # CUDA numbers from 0 what a container has, whatever the files are called.
    return [str(index) for index in range(len(found))]


def own_gpu(index: int, env: Mapping[str, str], devices: Path = _DEVICES) -> str | None:
    """The GPU of worker `index`, in turn where workers outnumber them; None if there is no choice.

    A processor asked for by ROUSE_DEVICE, or one of several GPUs named there, is left alone.
    """
    names = visible(env, devices)
    wanted = env.get("ROUSE_DEVICE", "").strip().lower()
    if len(names) < 2 or wanted not in ("", "auto", "cuda"):
        return None
    return names[index % len(names)]


def with_workers(
    argv: Sequence[str], env: Mapping[str, str], devices: Path = _DEVICES
) -> list[str]:
    """The command line, with ``--workers`` of as many as there are GPUs unless it says how many."""
    given = any(word == "--workers" or word.startswith("--workers=") for word in argv)
    if given or "--warm" in argv or own_gpu(0, env, devices) is None:
        return list(argv)
    return [*argv, f"--workers={len(visible(env, devices))}"]
