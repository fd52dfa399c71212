"""The embedded mesh: real Envoy, configured from Gateway, VirtualService and EndpointSlice objects.

What belongs here: the translation (``translate``, pure), xDS, Envoy's process. What does not: which
objects there are (``knative``, the controllers), and when a model wakes (the activator).
"""

from rouse.embedded.mesh.admin import ClusterStats
from rouse.embedded.mesh.config import MeshOptions, MeshPaths, MeshPorts
from rouse.embedded.mesh.mesh import Gateway, Mesh
from rouse.embedded.mesh.objects import MeshObjects
from rouse.embedded.mesh.translate.problems import Finding

__all__ = [
    "ClusterStats",
    "Finding",
    "Gateway",
    "Mesh",
    "MeshObjects",
    "MeshOptions",
    "MeshPaths",
    "MeshPorts",
]
