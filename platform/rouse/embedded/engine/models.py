"""The machine's own cache of models: the node agent, in the engine's process."""

from __future__ import annotations

import os
from collections.abc import Mapping
from decimal import InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rouse.agent.local import LocalAgent
from rouse.errors import ConfigError
from rouse.kube import KubeClient

if TYPE_CHECKING:
    from rouse.agent.agent import Agent

__all__ = ["BUDGET", "make_model_keeper"]

BUDGET: Final = "ROUSE_MODEL_BUDGET"
"""The variable that says how much the machine's models may take, such as 20Gi, the default."""
_DEFAULT: Final = "20Gi"


def make_model_keeper(
    client: KubeClient, node: str, folder: Path, env: Mapping[str, str] = os.environ
) -> LocalAgent:
    """Make the agent; it is imported when a LocalModelNode is there.

    Raises ConfigError for a budget that is no size.
    """
    budget = _budget(env)

    def make() -> Agent:
        from rouse.agent.agent import Agent
        from rouse.agent.storage import Storage

        return Agent(client, node, Storage(folder, budget, twins=True))

    return LocalAgent(client, node, make)


def _budget(env: Mapping[str, str]) -> int:
    from rouse.api.quantities import amount

    text = env.get(BUDGET) or _DEFAULT
    try:
        size = int(amount(text))
    except (InvalidOperation, ValueError):
        size = 0
    if size <= 0:
        raise ConfigError(f"{BUDGET} is {text!r}; it takes a size such as 20Gi")
    return size
