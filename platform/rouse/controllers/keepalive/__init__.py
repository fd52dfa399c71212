"""Keeps InferenceServices awake, and wakes them ahead, as their history and schedules tell.

It sets two annotations of Knative's Revisions, from where Knative takes them over for what scales
the revision, without another revision and without a new pod. When to be awake is decided in
`rouse.coldstart`; here is only what reads and writes.
"""

from rouse.controllers.keepalive.reconciler import NAME, KeepAlive

__all__ = ["NAME", "KeepAlive"]
