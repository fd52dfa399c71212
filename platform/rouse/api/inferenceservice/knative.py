"""What a Knative Service does not take, found before Knative would refuse it."""

from __future__ import annotations

from collections.abc import Iterator

from rouse.api.inferenceservice.component import ComponentSpec
from rouse.api.pods.containers import ContainerFields
from rouse.api.pods.volumes import KNATIVE_SOURCES
from rouse.errors import FieldError

__all__ = ["check_container", "check_pod"]

# Field -> what to do instead.
_POD_FIELDS = {
    "activeDeadlineSeconds": "use timeout for requests",
    "hostUsers": "remove it",
    "hostname": "remove it",
    "hostnameOverride": "remove it",
    "nodeName": "use nodeSelector or affinity",
    "os": "use nodeSelector kubernetes.io/os",
    "overhead": "use runtimeClassName, whose class carries it",
    "preemptionPolicy": "set it on the priority class",
    "priority": "use priorityClassName",
    "readinessGates": "remove it",
    "resourceClaims": "remove it",
    "resources": "set resources on the containers",
    "restartPolicy": "remove it; replicas are always restarted",
    "schedulingGates": "remove it",
    "setHostnameAsFQDN": "remove it",
    "subdomain": "remove it",
    "terminationGracePeriodSeconds": "use timeout: Knative waits that long for requests in flight",
}

_CONTAINER_FIELDS = {
    "lifecycle": "remove it; SIGTERM is sent when a replica shall stop",
    "resizePolicy": "remove it",
    "restartPolicy": "remove it",
    "restartPolicyRules": "remove it",
    "stdin": "remove it",
    "stdinOnce": "remove it",
    "tty": "remove it",
    "volumeDevices": "use volumeMounts",
}


def check_pod(component: ComponentSpec, path: str) -> Iterator[FieldError]:
    """Find the pod fields, container fields and volume sources that Knative refuses."""
    for name, field in type(component).model_fields.items():
        instead = _POD_FIELDS.get(field.alias or name)
        if instead is not None and getattr(component, name) is not None:
            yield FieldError(
                f"{path}.{field.alias}", f"a Knative Service does not take it: {instead}"
            )
    for kind in ("containers", "init_containers"):
        alias = "containers" if kind == "containers" else "initContainers"
        for index, container in enumerate(getattr(component, kind) or ()):
            yield from check_container(container, f"{path}.{alias}[{index}]")
    for index, volume in enumerate(component.volumes or ()):
        for source in sorted(volume.to_object().keys() - KNATIVE_SOURCES - {"name"}):
            yield FieldError(
                f"{path}.volumes[{index}].{source}",
                "a Knative Service does not take this kind of volume; allowed: "
                + ", ".join(sorted(KNATIVE_SOURCES)),
            )


def check_container(container: ContainerFields, path: str) -> Iterator[FieldError]:
    """Find the container fields that Knative refuses."""
    given = container.to_object()
    for field, instead in _CONTAINER_FIELDS.items():
        if field in given:
            yield FieldError(f"{path}.{field}", f"a Knative Service does not take it: {instead}")
    for index, port in enumerate(container.ports or ()):
        for field in ("hostPort", "hostIP"):
            if field in port.to_object():
                yield FieldError(
                    f"{path}.ports[{index}].{field}",
                    "a Knative Service does not take it: remove it",
                )
