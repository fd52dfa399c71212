"""What a pod gets when it is made: the storage initializer, credentials, the agent.

Here belongs the change of a pod as a pure function, and its form as an answer to an admission
request. Serving the webhook, and reading what it needs from the cluster, do not.
"""

from rouse.compiler.podwebhook.agent import AGENT_CONTAINER
from rouse.compiler.podwebhook.initializer import INITIALIZER_CONTAINER
from rouse.compiler.podwebhook.mutate import concerns, mutate
from rouse.compiler.podwebhook.patch import diff
from rouse.compiler.podwebhook.review import admission_response

__all__ = [
    "AGENT_CONTAINER",
    "INITIALIZER_CONTAINER",
    "admission_response",
    "concerns",
    "diff",
    "mutate",
]
