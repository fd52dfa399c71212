"""Containers and what they mount, as the built-in pod schema needs them."""

from __future__ import annotations

from typing import Any

from rouse.embedded.apiserver.schema.builtin.words import (
    array,
    boolean,
    integer,
    keyed,
    mapping,
    part,
    quantity,
    ref,
    text,
    text_or_number,
    texts,
)

__all__ = ["CONTAINER_DEFINITIONS"]

CONTAINER = "io.k8s.api.core.v1.Container"
_PROBE = "io.k8s.api.core.v1.Probe"
_HANDLER = "io.k8s.api.core.v1.LifecycleHandler"
_ENV = "io.k8s.api.core.v1.EnvVar"
_RESOURCES = "io.k8s.api.core.v1.ResourceRequirements"


def _from_source(description: str, *fields: str) -> dict[str, Any]:
    names = {field: text(f"The {field} to take it from.") for field in fields}
    return part(description, optional=boolean("Whether its absence is fine."), **names)


CONTAINER_DEFINITIONS: dict[str, dict[str, Any]] = {
    CONTAINER: {
        **part(
            "A process of the pod, started from an image.",
            name=text("Name, unique in the pod."),
            image=text("Image it runs."),
            imagePullPolicy=text("Always, IfNotPresent or Never."),
            command=texts("Program and first arguments; the image's entrypoint when absent."),
            args=texts("Arguments; the image's when absent."),
            workingDir=text("Folder it starts in."),
            env=keyed("Environment variables.", ref(_ENV), "name"),
            envFrom=array(
                "Whole config maps and secrets as environment variables.",
                part(
                    "One source.",
                    prefix=text("Put before every name."),
                    configMapRef=_from_source("A config map.", "name"),
                    secretRef=_from_source("A secret.", "name"),
                ),
            ),
            ports=keyed(
                "Ports it listens on.",
                part(
                    "One port.",
                    name=text("Name that services can refer to; Knative reads http1 and h2c."),
                    containerPort=integer("Number of the port."),
                    protocol=text("TCP, UDP or SCTP.", default="TCP"),
                    hostPort=integer("Port of the node to expose it on."),
                    hostIP=text("Address of the node to expose it on."),
                ),
                "containerPort",
                "protocol",
            ),
            resources=ref(_RESOURCES, "What it asks for and what it may use."),
            resizePolicy=array("What a change of its resources does."),
            restartPolicy=text("Always makes an init container a sidecar."),
            restartPolicyRules=array("When to restart after which exit."),
            livenessProbe=ref(_PROBE, "Failing it restarts the container."),
            readinessProbe=ref(_PROBE, "Failing it takes the container out of service."),
            startupProbe=ref(_PROBE, "The other probes wait until it succeeds."),
            lifecycle=part(
                "What to do after start and before stop.",
                postStart=ref(_HANDLER, "Run right after the start."),
                preStop=ref(_HANDLER, "Run before the stop signal."),
                stopSignal=text("Signal to stop it with."),
            ),
            securityContext=part("Privileges."),
            stdin=boolean("Whether it has a standard input."),
            stdinOnce=boolean("Whether its input closes after the first session."),
            tty=boolean("Whether it has a terminal."),
            terminationMessagePath=text("File its last words are read from."),
            terminationMessagePolicy=text("File or FallbackToLogsOnError."),
            volumeDevices=keyed(
                "Block devices it sees.",
                part(
                    "One device.",
                    devicePath=text("Path in the container."),
                    name=text("The volume."),
                ),
                "devicePath",
            ),
            volumeMounts=keyed(
                "Volumes it sees.",
                part(
                    "One mount.",
                    mountPath=text("Path in the container."),
                    mountPropagation=text("How later mounts spread."),
                    name=text("The volume."),
                    readOnly=boolean("Whether writing is forbidden."),
                    recursiveReadOnly=text("Whether that holds for mounts below."),
                    subPath=text("Path in the volume to mount."),
                    subPathExpr=text("The same, with variables."),
                ),
                "mountPath",
            ),
        ),
        "required": ["name"],
    },
    _ENV: {
        **part(
            "One environment variable.",
            name=text("Name of the variable."),
            value=text("Its value; $(OTHER) is replaced."),
            valueFrom=part(
                "Where its value comes from.",
                configMapKeyRef=_from_source("A key of a config map.", "name", "key"),
                secretKeyRef=_from_source("A key of a secret.", "name", "key"),
                fieldRef=part(
                    "A field of the pod.",
                    apiVersion=text("Version the path is written for."),
                    fieldPath=text("Path such as metadata.name."),
                ),
                fileKeyRef=part("A key of a file in a volume."),
                resourceFieldRef=part(
                    "A resource of the container.",
                    containerName=text("Which container."),
                    divisor=quantity("Unit of the value."),
                    resource=text("Such as limits.cpu."),
                ),
            ),
        ),
        "required": ["name"],
    },
    _RESOURCES: part(
        "What a container asks for and what it may use.",
        claims=keyed(
            "Claims of devices it uses.",
            part("One claim.", name=text("Its name."), request=text("A request in it.")),
            "name",
        ),
        limits=mapping("The most it may use.", quantity("Amount.")),
        requests=mapping("What is reserved for it.", quantity("Amount.")),
    ),
    _HANDLER: part(
        "One action.",
        exec=part("Run a command.", command=texts("Program and arguments.")),
        httpGet=part("Ask by HTTP."),
        sleep=part("Wait.", seconds=integer("How long.")),
        tcpSocket=part("Connect."),
    ),
    _PROBE: part(
        "A question asked again and again.",
        exec=part("Run a command; 0 is success.", command=texts("Program and arguments.")),
        failureThreshold=integer("Failures in a row that count as failure."),
        grpc=part(
            "Ask gRPC health checking.",
            port=integer("Port."),
            service=text("Service asked about."),
        ),
        httpGet=part(
            "Ask by HTTP; 200 to 399 is success.",
            host=text("Host; the pod when absent."),
            httpHeaders=array(
                "Headers to send.",
                part("One header.", name=text("Its name."), value=text("Its value.")),
            ),
            path=text("Path."),
            port=text_or_number("Port, by number or name."),
            scheme=text("HTTP or HTTPS."),
        ),
        initialDelaySeconds=integer("Seconds before the first question."),
        periodSeconds=integer("Seconds between questions."),
        successThreshold=integer("Successes in a row that count as success."),
        tcpSocket=part(
            "Connect by TCP.",
            host=text("Host; the pod when absent."),
            port=text_or_number("Port, by number or name."),
        ),
        terminationGracePeriodSeconds=integer("Seconds to stop in after a failure."),
        timeoutSeconds=integer("Seconds to answer in."),
    ),
}
