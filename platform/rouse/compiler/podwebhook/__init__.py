"""What a pod gets when it is made: the storage initializer, credentials, the agent.

Here belongs the change of a pod as a pure function. The answer to an admission request, and reading
what it needs from the cluster, are `rouse.webhook`'s.
"""

from rouse.compiler.podwebhook.agent import AGENT_CONTAINER
from rouse.compiler.podwebhook.initializer import INITIALIZER_CONTAINER
from rouse.compiler.podwebhook.mutate import concerns, mutate
from rouse.compiler.podwebhook.patch import diff

__all__ = [
    "AGENT_CONTAINER",
    "INITIALIZER_CONTAINER",
    "concerns",
    "diff",
    "mutate",
]
