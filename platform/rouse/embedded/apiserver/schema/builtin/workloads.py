"""The built-in schemas of workloads, leases and endpoint slices."""

from __future__ import annotations

from typing import Any

from rouse.embedded.apiserver.schema.builtin.core import object_reference
from rouse.embedded.apiserver.schema.builtin.meta import known_kind, selector
from rouse.embedded.apiserver.schema.builtin.pods import POD_TEMPLATE
from rouse.embedded.apiserver.schema.builtin.words import (
    array,
    boolean,
    conditions,
    integer,
    mapping,
    part,
    ref,
    text,
    text_or_number,
    texts,
    time,
)

__all__ = ["WORKLOAD_DEFINITIONS"]

_STRATEGY: dict[str, Any] = {
    **part(
        "How pods are replaced by new ones.",
        rollingUpdate=part(
            "Bounds of a rolling update.",
            maxSurge=text_or_number("How many more than wanted there may be."),
            maxUnavailable=text_or_number("How many fewer than wanted there may be."),
        ),
        type=text("RollingUpdate or Recreate."),
    ),
    "x-kubernetes-patch-strategy": "retainKeys",
}

_ENDPOINT: dict[str, Any] = part(
    "One place that serves.",
    addresses=texts("Its addresses."),
    conditions=part(
        "How it is.",
        ready=boolean("Whether it takes new requests."),
        serving=boolean("Whether it serves at all."),
        terminating=boolean("Whether it is about to go."),
    ),
    deprecatedTopology=mapping("No longer used."),
    hints=part("Who should prefer it."),
    hostname=text("Its host name."),
    nodeName=text("Its node."),
    targetRef=object_reference("The pod behind it."),
    zone=text("Its zone."),
)

WORKLOAD_DEFINITIONS: dict[str, dict[str, Any]] = {
    "io.k8s.api.apps.v1.Deployment": known_kind(
        "A number of like pods, replaced in an orderly way.",
        spec=part(
            "What pods, and how many.",
            minReadySeconds=integer("Seconds a pod must be ready to count."),
            paused=boolean("Whether changes wait."),
            progressDeadlineSeconds=integer("Seconds after which no progress is a failure."),
            replicas=integer("How many pods."),
            revisionHistoryLimit=integer("How many old templates are kept."),
            selector=selector("Which pods are its own; never changes."),
            strategy=_STRATEGY,
            template=ref(POD_TEMPLATE, "The pods to make."),
        ),
        status=part(
            "How far it is.",
            availableReplicas=integer("Pods ready for long enough."),
            collisionCount=integer("How often a name was taken."),
            conditions=conditions(),
            observedGeneration=integer("Generation that was looked at."),
            readyReplicas=integer("Pods that are ready."),
            replicas=integer("Pods there are."),
            terminatingReplicas=integer("Pods about to go."),
            unavailableReplicas=integer("Pods still missing."),
            updatedReplicas=integer("Pods of the newest template."),
        ),
    ),
    "io.k8s.api.apps.v1.ReplicaSet": known_kind(
        "A number of pods of one template.",
        spec=part(
            "What pods, and how many.",
            minReadySeconds=integer("Seconds a pod must be ready to count."),
            replicas=integer("How many pods."),
            selector=selector("Which pods are its own."),
            template=ref(POD_TEMPLATE, "The pods to make."),
        ),
        status=part(
            "How far it is.",
            availableReplicas=integer("Pods ready for long enough."),
            conditions=conditions(),
            fullyLabeledReplicas=integer("Pods with all labels of the template."),
            observedGeneration=integer("Generation that was looked at."),
            readyReplicas=integer("Pods that are ready."),
            replicas=integer("Pods there are."),
            terminatingReplicas=integer("Pods about to go."),
        ),
    ),
    "io.k8s.api.autoscaling.v2.HorizontalPodAutoscaler": known_kind(
        "Scales a workload by what it measures.",
        spec=part(
            "What to scale, by what, between which bounds.",
            behavior=part("How fast it may scale."),
            maxReplicas=integer("At most."),
            metrics=array("What to measure, and the targets."),
            minReplicas=integer("At least."),
            scaleTargetRef=object_reference("What to scale."),
        ),
        status=part(
            "What it last did.",
            conditions=conditions(),
            currentMetrics=array("What it measured."),
            currentReplicas=integer("How many there are."),
            desiredReplicas=integer("How many it wants."),
            lastScaleTime=time("When it last scaled."),
            observedGeneration=integer("Generation that was looked at."),
        ),
    ),
    "io.k8s.api.coordination.v1.Lease": known_kind(
        "Who holds something, and until when.",
        spec=part(
            "The hold.",
            acquireTime=time("When it was taken."),
            holderIdentity=text("Who holds it."),
            leaseDurationSeconds=integer("Seconds it lasts without renewal."),
            leaseTransitions=integer("How often it changed hands."),
            preferredHolder=text("Who should take it."),
            renewTime=time("When it was last renewed."),
            strategy=text("How the holder is chosen."),
        ),
    ),
    "io.k8s.api.discovery.v1.EndpointSlice": known_kind(
        "Some of the places that serve for a service.",
        addressType=text("IPv4, IPv6 or FQDN."),
        endpoints=array("The places.", _ENDPOINT),
        ports=array(
            "Ports of all of them.",
            part(
                "One port.",
                appProtocol=text("What is spoken there."),
                name=text("Name, as in the service."),
                port=integer("Number."),
                protocol=text("TCP, UDP or SCTP."),
            ),
        ),
    ),
}
