"""The built-in schema of pods."""

from __future__ import annotations

from typing import Any

from rouse.embedded.apiserver.schema.builtin.containers import CONTAINER, CONTAINER_DEFINITIONS
from rouse.embedded.apiserver.schema.builtin.meta import OBJECT_META_NAME, known_kind
from rouse.embedded.apiserver.schema.builtin.words import (
    array,
    boolean,
    conditions,
    integer,
    keyed,
    mapping,
    part,
    ref,
    text,
    texts,
    time,
)

__all__ = ["POD_DEFINITIONS", "POD_TEMPLATE"]

POD_TEMPLATE = "io.k8s.api.core.v1.PodTemplateSpec"
_SPEC = "io.k8s.api.core.v1.PodSpec"
_STATUS = "io.k8s.api.core.v1.PodStatus"
_VOLUME = "io.k8s.api.core.v1.Volume"

_SOURCES = (
    "awsElasticBlockStore",
    "azureDisk",
    "azureFile",
    "cephfs",
    "cinder",
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "fc",
    "flexVolume",
    "flocker",
    "gcePersistentDisk",
    "gitRepo",
    "glusterfs",
    "hostPath",
    "image",
    "iscsi",
    "nfs",
    "persistentVolumeClaim",
    "photonPersistentDisk",
    "portworxVolume",
    "projected",
    "quobyte",
    "rbd",
    "scaleIO",
    "secret",
    "storageos",
    "vsphereVolume",
)


def _named(description: str) -> dict[str, Any]:
    return part(description, name=text("Its name."))


_CONTAINER_STATUS: dict[str, Any] = part(
    "How one container is doing.",
    allocatedResources=mapping("Resources it was given.", {}),
    allocatedResourcesStatus=array("Health of its devices."),
    containerID=text("Identity of the running container."),
    image=text("Image it runs."),
    imageID=text("Digest of that image."),
    lastState=part("How it was before the last restart."),
    name=text("Name of the container."),
    ready=boolean("Whether it takes requests."),
    resources=part("Resources in force."),
    restartCount=integer("How often it was restarted."),
    started=boolean("Whether its start is over."),
    state=part("How it is: waiting, running or terminated."),
    stopSignal=text("Signal it is stopped with."),
    user=part("User it runs as."),
    volumeMounts=array("Mounts and their state."),
)

POD_DEFINITIONS: dict[str, dict[str, Any]] = {
    **CONTAINER_DEFINITIONS,
    "io.k8s.api.core.v1.Pod": known_kind(
        "Containers that run together in one place.",
        spec=ref(_SPEC, "What is wanted of the pod."),
        status=ref(_STATUS, "What the node says about it."),
    ),
    POD_TEMPLATE: part(
        "The pod to make.",
        metadata=ref(OBJECT_META_NAME, "Labels and annotations of the pods."),
        spec=ref(_SPEC, "What is wanted of the pods."),
    ),
    _SPEC: part(
        "What is wanted of a pod.",
        activeDeadlineSeconds=integer("Seconds the pod may run."),
        affinity=part("Where it likes or refuses to run."),
        automountServiceAccountToken=boolean("Whether it gets its account's token."),
        containers=keyed("Its containers.", ref(CONTAINER), "name"),
        dnsConfig=part("Extra DNS settings."),
        dnsPolicy=text("Where it asks for names."),
        enableServiceLinks=boolean("Whether services become environment variables."),
        ephemeralContainers=keyed("Containers added to look inside.", part(""), "name"),
        hostAliases=keyed(
            "Lines of its hosts file.",
            part("One line.", hostnames=texts("Names."), ip=text("Their address.")),
            "ip",
        ),
        hostIPC=boolean("Whether it shares the node's IPC."),
        hostNetwork=boolean("Whether it shares the node's network."),
        hostPID=boolean("Whether it sees the node's processes."),
        hostUsers=boolean("Whether it shares the node's users."),
        hostname=text("Its host name."),
        hostnameOverride=text("Its host name, whatever else is said."),
        imagePullSecrets=keyed("Secrets to pull images with.", _named("One secret."), "name"),
        initContainers=keyed("Containers that run first, in order.", ref(CONTAINER), "name"),
        nodeName=text("Node it is bound to."),
        nodeSelector=mapping("Labels the node must have.", atomic=True),
        os=_named("Operating system of its containers."),
        overhead=mapping("Resources the sandbox itself takes.", {}),
        preemptionPolicy=text("Whether it may displace others."),
        priority=integer("Rank among pods."),
        priorityClassName=text("Class its rank comes from."),
        readinessGates=array("Conditions that must hold beside its containers' readiness."),
        resourceClaims=keyed(
            "Device claims.", _named("One claim."), "name", strategy="merge,retainKeys"
        ),
        resources=part("Resources of the pod as a whole."),
        restartPolicy=text("Always, OnFailure or Never."),
        runtimeClassName=text("Runtime its containers need."),
        schedulerName=text("Who places it."),
        schedulingGates=keyed("What placement waits for.", _named("One gate."), "name"),
        schedulingGroup=part("Pods it is placed together with."),
        securityContext=part("Privileges of all containers."),
        serviceAccount=text("Old name of serviceAccountName."),
        serviceAccountName=text("Account it runs as."),
        setHostnameAsFQDN=boolean("Whether the host name is the full one."),
        shareProcessNamespace=boolean("Whether containers see each other's processes."),
        subdomain=text("Domain part of its full name."),
        terminationGracePeriodSeconds=integer("Seconds to stop in."),
        tolerations=array("Taints of nodes it puts up with."),
        topologySpreadConstraints=keyed(
            "How its like spread over nodes.",
            part(""),
            "topologyKey",
            "whenUnsatisfiable",
        ),
        volumes=keyed(
            "Volumes its containers can mount.", ref(_VOLUME), "name", strategy="merge,retainKeys"
        ),
        workloadRef=part("The workload it is part of."),
    ),
    _VOLUME: {
        **part(
            "A named folder and where its contents come from.",
            name=text("Name, unique in the pod."),
            **{source: part(f"Contents by {source}.") for source in _SOURCES},
        ),
        "required": ["name"],
    },
    _STATUS: part(
        "What the node says about a pod.",
        allocatedResources=mapping("Resources the pod was given.", {}),
        conditions=conditions(),
        containerStatuses=array("Its containers.", _CONTAINER_STATUS),
        ephemeralContainerStatuses=array("Containers added to look inside."),
        extendedResourceClaimStatus=part("Claims made for it."),
        hostIP=text("Address of its node."),
        hostIPs=array("All addresses of its node."),
        initContainerStatuses=array("Its first containers.", _CONTAINER_STATUS),
        message=text("Why it is as it is, for people."),
        nominatedNodeName=text("Node that is being cleared for it."),
        observedGeneration=integer("Generation the node looked at."),
        phase=text("Pending, Running, Succeeded, Failed or Unknown."),
        podIP=text("Its address."),
        podIPs=keyed("All its addresses.", part("One address.", ip=text("Address.")), "ip"),
        qosClass=text("How its resources rank."),
        reason=text("Why it is as it is, in a word."),
        resize=text("State of a change of its resources."),
        resourceClaimStatuses=array("State of its claims."),
        resources=part("Resources of the pod as a whole."),
        startTime=time("When the node took it."),
    ),
}
