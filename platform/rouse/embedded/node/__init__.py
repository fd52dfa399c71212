"""The embedded node: Pods as local processes, warm parents, probes and logs.

Here belongs what a kubelet does on a machine without a container engine. Which pods there are is
decided elsewhere: the node runs those bound to it, and reports.
"""

from rouse.embedded.node.errors import PodSetupError, Reason, WarmError
from rouse.embedded.node.images import ImageTable, LocalCommand
from rouse.embedded.node.node import Node
from rouse.embedded.node.paths import NodePaths
from rouse.embedded.node.pool import WarmPool
from rouse.embedded.node.state import ContainerState, PodState, Terminated

__all__ = [
    "ContainerState",
    "ImageTable",
    "LocalCommand",
    "Node",
    "NodePaths",
    "PodSetupError",
    "PodState",
    "Reason",
    "Terminated",
    "WarmError",
    "WarmPool",
]
