"""The pod types of Kubernetes that components and runtimes embed.

What is used most is typed field by field. What is deep and rare (affinity terms, lifecycle hooks,
cloud volume sources) is `Open`: accepted, kept, passed on, and said so in the CRD.
"""

from rouse.api.pods.containers import Container, EnvVar
from rouse.api.pods.pod import PodSpec
from rouse.api.pods.volumes import Volume

__all__ = ["Container", "EnvVar", "PodSpec", "Volume"]
