"""The only Kubernetes I/O of the controllers: client, informers, work queues, leases.

Here belongs what any controller needs of any cluster. What a kind means does not: that is in
`rouse.api` and `rouse.controllers`.
"""

from rouse.kube.apply import apply_if_differs, differs
from rouse.kube.client import EventType, KubeClient, ObjectList, PatchKind, WatchEvent
from rouse.kube.config import ClusterConfig, connect, load_kubeconfig
from rouse.kube.controller import Controller, Requeue
from rouse.kube.events import EventRecorder
from rouse.kube.informer import Informer, InformerOptions
from rouse.kube.objects import Key, Object, key_of, owner_reference
from rouse.kube.queue import WorkQueue
from rouse.kube.resources import Resource, resource_of

__all__ = [
    "ClusterConfig",
    "Controller",
    "EventRecorder",
    "EventType",
    "Informer",
    "InformerOptions",
    "Key",
    "KubeClient",
    "Object",
    "ObjectList",
    "PatchKind",
    "Requeue",
    "Resource",
    "WatchEvent",
    "WorkQueue",
    "apply_if_differs",
    "connect",
    "differs",
    "key_of",
    "load_kubeconfig",
    "owner_reference",
    "resource_of",
]
