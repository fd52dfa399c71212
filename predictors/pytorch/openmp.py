"""How torch's threads wait for each other; to be said before torch is imported."""

from __future__ import annotations

import os
from collections.abc import MutableMapping

__all__ = ["wait_passively"]


def wait_passively(env: MutableMapping[str, str] = os.environ) -> None:
    """Have OpenMP's threads sleep while they wait, unless the environment says otherwise.

    By default they spin: on a machine with more to do than cores, or below a CPU quota, they burn
    the time that the thread they wait for needs, and a call takes tens of times as long.
    """
    if "GOMP_SPINCOUNT" not in env:
        env.setdefault("OMP_WAIT_POLICY", "PASSIVE")
