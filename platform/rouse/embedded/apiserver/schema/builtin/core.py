"""The built-in schemas of the core group beside pods."""

from __future__ import annotations

from typing import Any

from rouse.embedded.apiserver.schema.builtin.meta import known_kind
from rouse.embedded.apiserver.schema.builtin.words import (
    array,
    boolean,
    conditions,
    integer,
    keyed,
    mapping,
    part,
    quantity,
    text,
    text_or_number,
    texts,
    time,
    unordered,
)

__all__ = ["CORE_DEFINITIONS", "object_reference"]

_V1 = "io.k8s.api.core.v1."


def object_reference(description: str) -> dict[str, Any]:
    """A pointer to some object."""
    return {
        **part(
            description,
            apiVersion=text("Its group and version."),
            fieldPath=text("Part of it that is meant."),
            kind=text("Its kind."),
            name=text("Its name."),
            namespace=text("Its namespace."),
            resourceVersion=text("Its version."),
            uid=text("Its identity."),
        ),
        "x-kubernetes-map-type": "atomic",
    }


_SERVICE_PORT: dict[str, Any] = part(
    "One port.",
    appProtocol=text("What is spoken there."),
    name=text("Name, unique in the service."),
    nodePort=integer("Port of every node."),
    port=integer("Port of the service."),
    protocol=text("TCP, UDP or SCTP.", default="TCP"),
    targetPort=text_or_number("Port of the pods, by number or name."),
)

_SERVICE_SPEC: dict[str, Any] = part(
    "Which pods, on which ports, reached how.",
    allocateLoadBalancerNodePorts=boolean("Whether a load balancer needs node ports."),
    clusterIP=text("Address in the cluster; None for a headless service."),
    clusterIPs=texts("All addresses in the cluster."),
    externalIPs=texts("Addresses outside that lead here."),
    externalName=text("DNS name that an ExternalName service stands for."),
    externalTrafficPolicy=text("Cluster or Local."),
    healthCheckNodePort=integer("Port of the load balancer's health check."),
    internalTrafficPolicy=text("Cluster or Local."),
    ipFamilies=texts("IPv4, IPv6."),
    ipFamilyPolicy=text("One family or two."),
    loadBalancerClass=text("Who makes the load balancer."),
    loadBalancerIP=text("Wish for its address."),
    loadBalancerSourceRanges=texts("Who may come in."),
    ports=keyed("Its ports.", _SERVICE_PORT, "port", "protocol"),
    publishNotReadyAddresses=boolean("Whether unready pods are listed too."),
    selector=mapping("Labels of its pods.", atomic=True),
    sessionAffinity=text("ClientIP or None."),
    sessionAffinityConfig=part("Settings of session affinity."),
    trafficDistribution=text("Preference among endpoints."),
    type=text("ClusterIP, NodePort, LoadBalancer or ExternalName."),
)

_NODE_ADDRESS: dict[str, Any] = part(
    "One address.", address=text("The address."), type=text("What it is, such as InternalIP.")
)

CORE_DEFINITIONS: dict[str, dict[str, Any]] = {
    _V1 + "Service": known_kind(
        "A stable name and address for pods.",
        spec=_SERVICE_SPEC,
        status=part(
            "Where it can be reached.",
            conditions=conditions(),
            loadBalancer=part("Addresses of its load balancer."),
        ),
    ),
    _V1 + "ConfigMap": known_kind(
        "Settings that pods read.",
        binaryData=mapping("Values in base64.", text("One value.", format="byte")),
        data=mapping("Values as text."),
        immutable=boolean("Whether it can never change."),
    ),
    _V1 + "Secret": known_kind(
        "Settings that only those who need them may read.",
        data=mapping("Values in base64.", text("One value.", format="byte")),
        immutable=boolean("Whether it can never change."),
        stringData=mapping("Values as text, for writing; shown again in data."),
        type=text("What is in it, such as Opaque."),
    ),
    _V1 + "Namespace": known_kind(
        "A space in which names are unique.",
        spec=part("What holds it.", finalizers=texts("Who must agree before it goes.")),
        status=part(
            "Whether it is in use.", conditions=conditions(), phase=text("Active or Terminating.")
        ),
    ),
    _V1 + "ServiceAccount": known_kind(
        "Who a pod is.",
        automountServiceAccountToken=boolean("Whether its pods get its token."),
        imagePullSecrets=array("Secrets to pull images with."),
        secrets=keyed("Secrets its pods may use.", object_reference("One secret."), "name"),
    ),
    _V1 + "Event": known_kind(
        "Something that happened to an object.",
        action=text("What was done."),
        count=integer("How often it was seen."),
        eventTime=time("When it was seen first, to the microsecond."),
        firstTimestamp=time("When it was seen first."),
        involvedObject=object_reference("The object it happened to."),
        lastTimestamp=time("When it was seen last."),
        message=text("What happened, for people."),
        reason=text("What happened, in a word."),
        related=object_reference("Another object it concerns."),
        reportingComponent=text("Who saw it."),
        reportingInstance=text("Which of them."),
        series=part(
            "A run of the same event.",
            count=integer("How many."),
            lastObservedTime=time("The last one."),
        ),
        source=part("Who saw it.", component=text("Component."), host=text("Node.")),
        type=text("Normal or Warning."),
    ),
    _V1 + "Node": known_kind(
        "A machine that runs pods.",
        spec=part(
            "How it may be used.",
            configSource=part("No longer used."),
            externalID=text("No longer used."),
            podCIDR=text("Addresses of its pods."),
            podCIDRs=unordered("All ranges of addresses of its pods."),
            providerID=text("Its name at the provider."),
            taints=array("What pods must put up with."),
            unschedulable=boolean("Whether no new pods come here."),
        ),
        status=part(
            "How it is doing.",
            addresses=keyed("Its addresses.", _NODE_ADDRESS, "type"),
            allocatable=mapping("What pods can have.", quantity("Amount.")),
            capacity=mapping("What it has.", quantity("Amount.")),
            conditions=conditions(),
            config=part("No longer used."),
            daemonEndpoints=part("Ports of its agent."),
            declaredFeatures=texts("Features it offers."),
            features=part("Features of its container runtime."),
            images=array("Images it holds."),
            nodeInfo=part("Versions of its software."),
            phase=text("No longer used."),
            runtimeHandlers=array("Runtimes it offers."),
            volumesAttached=array("Volumes attached to it."),
            volumesInUse=texts("Volumes in use."),
        ),
    ),
    _V1 + "PersistentVolumeClaim": known_kind(
        "A wish for a volume, and the volume it got.",
        spec=part(
            "What volume is wanted.",
            accessModes=texts("ReadWriteOnce, ReadOnlyMany, ReadWriteMany."),
            dataSource=part("What it is filled from."),
            dataSourceRef=part("What it is filled from, in any namespace."),
            resources=part(
                "How large.",
                limits=mapping("At most.", quantity("Amount.")),
                requests=mapping("At least.", quantity("Amount.")),
            ),
            selector=part("Labels of the volume."),
            storageClassName=text("Class of the volume."),
            volumeAttributesClassName=text("Class of its settings."),
            volumeMode=text("Filesystem or Block."),
            volumeName=text("The volume it is bound to."),
        ),
        status=part(
            "What it got.",
            accessModes=texts("How it can be mounted."),
            allocatedResourceStatuses=mapping("State of a resize."),
            allocatedResources=mapping("Size being made.", quantity("Amount.")),
            capacity=mapping("Its size.", quantity("Amount.")),
            conditions=conditions(),
            currentVolumeAttributesClassName=text("Settings in force."),
            modifyVolumeStatus=part("State of a change of settings."),
            phase=text("Pending, Bound or Lost."),
        ),
    ),
}
