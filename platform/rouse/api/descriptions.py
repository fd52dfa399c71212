"""What fields mean whose types carry Kubernetes' or KServe's own shape: for `kubectl explain`.

A docstring under a field wins over what is said here. Entries are by the type that has the field
and by its name on the wire; types that inherit the field inherit its description.
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["DESCRIPTIONS", "described"]

_NAME = "Name of the object."

_POD: Mapping[str, Mapping[str, str]] = {
    "PodSpec": {
        "activeDeadlineSeconds": "Seconds the pod may run at most.",
        "automountServiceAccountToken": "Whether the ServiceAccount's token is mounted.",
        "dnsConfig": "DNS servers, search domains and options of the pod.",
        "dnsPolicy": "Which DNS servers the pod asks.",
        "enableServiceLinks": "Whether Services are described in environment variables.",
        "hostAliases": "Entries added to the pod's hosts file.",
        "hostIPC": "Whether the pod shares the node's inter-process communication.",
        "hostNetwork": "Whether the pod uses the node's network.",
        "hostPID": "Whether the pod sees the node's processes.",
        "hostUsers": "Whether the pod uses the node's user namespace.",
        "hostname": "Host name of the pod.",
        "hostnameOverride": "Host name of the pod, whatever else says.",
        "imagePullSecrets": "Secrets with the credentials of image registries.",
        "initContainers": "Containers that run to their end before the others start.",
        "nodeName": "The node to run on; the scheduler chooses when not given.",
        "nodeSelector": "Labels that the node must have.",
        "os": "The operating system of the containers.",
        "overhead": "Resources the pod itself takes beside its containers.",
        "preemptionPolicy": "Whether the pod may push out pods of lower priority.",
        "priority": "Priority as a number; set from priorityClassName.",
        "priorityClassName": "The PriorityClass of the pod.",
        "readinessGates": "Further conditions that must hold for the pod to be ready.",
        "resourceClaims": "Resource claims that containers of the pod use.",
        "resources": "Resources of the pod as a whole.",
        "restartPolicy": "When containers are started again.",
        "runtimeClassName": "The RuntimeClass that runs the containers.",
        "schedulerName": "The scheduler that chooses the node.",
        "schedulingGates": "What must be taken away before the pod is scheduled.",
        "securityContext": "User, groups and security settings of the pod.",
        "setHostnameAsFQDN": "Whether the host name is the pod's full domain name.",
        "shareProcessNamespace": "Whether the containers see each other's processes.",
        "subdomain": "Subdomain of the pod's domain name.",
        "terminationGracePeriodSeconds": "Seconds from SIGTERM to SIGKILL.",
        "tolerations": "Taints of nodes that the pod accepts.",
        "topologySpreadConstraints": "How pods are spread over zones and nodes.",
        "volumes": "Volumes that containers of the pod mount.",
    },
    "Affinity": {
        "nodeAffinity": "Which nodes the pod wants.",
        "podAffinity": "Which pods it wants beside it.",
        "podAntiAffinity": "Which pods it does not want beside it.",
    },
    "HostAlias": {"ip": "The address.", "hostnames": "The names that stand for it."},
    "LocalObjectReference": {"name": _NAME},
    "ResourceClaimSource": {
        "name": "Name by which containers refer to the claim.",
        "resourceClaimName": "A ResourceClaim of the namespace.",
        "resourceClaimTemplateName": "The template of a ResourceClaim made for each pod.",
    },
    "Toleration": {
        "effect": "The effect of the taint; any when not given.",
        "key": "The key of the taint; any when not given.",
        "operator": "Equal, the default, or Exists, which takes any value.",
        "tolerationSeconds": "Seconds a NoExecute taint is borne; for ever when not given.",
        "value": "The value of the taint.",
    },
    "ContainerFields": {
        "env": "Environment variables.",
        "envFrom": "Environment variables from whole ConfigMaps and Secrets.",
        "imagePullPolicy": "When the image is pulled.",
        "lifecycle": "What runs after the start and before the stop.",
        "name": "Name of the container.",
        "ports": "Ports the container listens on.",
        "resizePolicy": "Whether a change of resources restarts the container.",
        "restartPolicy": "When the container is started again; Always makes an initContainer stay.",
        "restartPolicyRules": "When the container is started again, by its exit code.",
        "securityContext": "User, capabilities and security settings of the container.",
        "stdin": "Whether standard input is kept open.",
        "stdinOnce": "Whether standard input closes after its first use.",
        "terminationMessagePath": "The file whose content says why the container ended.",
        "terminationMessagePolicy": "Where that content comes from: the File, or the log as well.",
        "tty": "Whether the container has a terminal.",
        "volumeDevices": "Block devices of the pod in the container.",
        "volumeMounts": "Volumes of the pod in the container.",
        "workingDir": "The folder the command starts in.",
    },
    "ContainerPort": {
        "containerPort": "Number of the port.",
        "hostIP": "The node's address that the port is bound to.",
        "hostPort": "The node's port that the port is bound to.",
        "name": "Name of the port; h2c and http1 say the protocol.",
        "protocol": "TCP, the default, UDP or SCTP.",
    },
    "ResourceClaim": {
        "name": "A claim in the pod's resourceClaims.",
        "request": "The part of the claim that is used.",
    },
    "ResourceRequirements": {
        "claims": "Resource claims of the pod that the container uses.",
        "limits": "What the container may use at most, such as memory: 2Gi.",
        "requests": "What is set aside for the container, such as cpu: 500m.",
    },
    "VolumeMount": {
        "mountPath": "Where the volume appears in the container.",
        "mountPropagation": "Whether mounts made later are seen.",
        "name": "Name of the volume.",
        "readOnly": "Whether the container cannot write.",
        "recursiveReadOnly": "Whether mounts below it cannot be written either.",
        "subPath": "The part of the volume that is mounted.",
        "subPathExpr": "The part of the volume that is mounted, with $(NAME) for variables.",
    },
    "VolumeDevice": {
        "devicePath": "Where the device appears in the container.",
        "name": "Name of the volume.",
    },
    "EnvVar": {"name": "Name of the variable."},
    "EnvVarSource": {
        "fieldRef": "A field of the pod.",
        "fileKeyRef": "A key of a file of variables.",
        "resourceFieldRef": "A resource of a container.",
    },
    "EnvFromSource": {"prefix": "Put in front of every variable's name."},
    "EnvFromObject": {
        "name": _NAME,
        "optional": "Whether the pod may start when the object is not there.",
    },
    "KeySelector": {"key": "The key.", "name": _NAME},
    "Probe": {
        "failureThreshold": "Failures in a row after which the container counts as failed.",
        "initialDelaySeconds": "Seconds from the container's start to the first probe.",
        "successThreshold": "Successes in a row after which the container counts as well.",
        "terminationGracePeriodSeconds": "Seconds from SIGTERM to SIGKILL after a failure.",
        "timeoutSeconds": "Seconds an answer may take.",
    },
    "ExecAction": {"command": "The command and its arguments; no shell."},
    "GRPCAction": {"port": "Number of the port.", "service": "The service that is asked for."},
    "HTTPGetAction": {
        "httpHeaders": "Headers of the request.",
        "scheme": "HTTP, the default, or HTTPS.",
    },
    "HTTPHeader": {"name": "Name of the header.", "value": "Value of the header."},
    "TCPSocketAction": {
        "host": "Host to connect to; the pod's address when not given.",
        "port": "Number or name of the port.",
    },
}

_VOLUMES: Mapping[str, Mapping[str, str]] = {
    "Volume": {
        "awsElasticBlockStore": "A disk of AWS.",
        "azureDisk": "A disk of Azure.",
        "azureFile": "A file share of Azure.",
        "cephfs": "A Ceph file system.",
        "cinder": "A disk of OpenStack.",
        "csi": "A volume of a CSI driver.",
        "downwardAPI": "Fields of the pod as files.",
        "ephemeral": "A volume claimed for each pod.",
        "fc": "A Fibre Channel disk.",
        "flexVolume": "A volume of a Flex driver.",
        "flocker": "A Flocker volume.",
        "gcePersistentDisk": "A disk of Google Cloud.",
        "gitRepo": "A Git repository; Kubernetes removed it.",
        "glusterfs": "A Gluster volume.",
        "iscsi": "An iSCSI disk.",
        "name": "Name by which containers mount the volume.",
        "nfs": "A folder of an NFS server.",
        "photonPersistentDisk": "A disk of Photon.",
        "portworxVolume": "A Portworx volume.",
        "projected": "Several sources in one folder.",
        "quobyte": "A Quobyte volume.",
        "rbd": "A Ceph block device.",
        "scaleIO": "A ScaleIO volume.",
        "storageos": "A StorageOS volume.",
        "vsphereVolume": "A disk of vSphere.",
    },
    "ConfigMapVolume": {
        "defaultMode": "Permissions of the files.",
        "items": "The keys that become files; all when not given.",
        "name": _NAME,
        "optional": "Whether the pod may start when the object is not there.",
    },
    "SecretVolume": {
        "defaultMode": "Permissions of the files.",
        "items": "The keys that become files; all when not given.",
        "optional": "Whether the pod may start when the object is not there.",
        "secretName": _NAME,
    },
    "KeyToPath": {
        "key": "The key.",
        "mode": "Permissions of the file.",
        "path": "Where the file is in the volume.",
    },
    "EmptyDirVolume": {
        "sizeLimit": "Room in the folder at most.",
    },
    "ClaimVolume": {
        "claimName": "Name of the PersistentVolumeClaim.",
        "readOnly": "Whether nothing can be written.",
    },
    "HostPathVolume": {
        "path": "Where it is on the node.",
        "type": "What must be there, such as Directory; nothing is checked when not given.",
    },
    "ImageVolume": {"pullPolicy": "When the image is pulled.", "reference": "The image."},
}

_SERVICES: Mapping[str, Mapping[str, str]] = {
    "Logger": {
        "batchInterval": "How long events wait to be stored together.",
        "batchSize": "Events stored together at most.",
        "marshallerUrl": "The service that turns events into what is stored.",
        "metadataAnnotations": "Annotations that go along with every event.",
        "metadataHeaders": "Headers of the request that go along with every event.",
        "storage": "Where events are stored when they are not sent.",
    },
    "Batcher": {"timeout": "Seconds a call of the model may take."},
    "StorageSpec": {
        "parameters": "Settings that win over those of the entry, such as bucket.",
        "path": "Where the model is, below the entry's location.",
        "schemaPath": "Where the model's schema is, below the entry's location.",
    },
    "StorageUri": {
        "mountPath": "Where the model appears in the container; /mnt/models when not given.",
        "uri": "Where the model is: pvc://, s3://, gs://, hf://, https:// ...",
    },
    "DeploymentStrategy": {"type": "RollingUpdate, the default, or Recreate."},
    "RollingUpdate": {
        "maxSurge": "Replicas above the wanted number, as a count or percentage.",
        "maxUnavailable": "Replicas below the wanted number, as a count or percentage.",
    },
    "ComponentSpec": {
        "scaleMetricType": "How scaleTarget is meant; Utilization when not given.",
        "storageUris": "Several model locations, each with its own folder.",
    },
    "ModelSpec": {"confidential": "How the model is decrypted inside a trusted environment."},
    "PredictorSpec": {
        "workerSpec": "The pods beside the head of a model that spans several nodes.",
    },
    "Addressable": {
        "CACerts": "Certificates that sign the address, in PEM.",
        "audience": "The audience of tokens for the address.",
        "name": "Name of the address.",
        "url": "The address.",
    },
    "TrafficTarget": {
        "configurationName": "The Knative Configuration of the revision.",
        "latestRevision": "Whether it is the latest ready revision.",
        "percent": "Percent of the requests.",
        "revisionName": "The revision.",
        "tag": "Name under which the revision has a host of its own.",
        "url": "The host of the tag.",
    },
    "ComponentStatus": {
        "grpcUrl": "Where gRPC clients reach the component.",
        "latestCreatedRevision": "The revision made last.",
        "latestReadyRevision": "The revision that became ready last.",
        "restUrl": "Where HTTP clients reach the component.",
        "traffic": "How requests are shared between revisions.",
        "url": "Where the component is reached.",
    },
    "ModelStates": {
        "activeModelState": "The state of the model that serves.",
        "targetModelState": "The state of the model that is to serve.",
    },
    "FailureInfo": {
        "exitCode": "The exit code of the container.",
        "location": "The component or pod that failed.",
        "message": "What happened, for people.",
        "modelRevisionName": "The revision that failed.",
        "reason": "What happened, for programs.",
        "time": "When it failed (RFC 3339, UTC).",
    },
    "ModelCopies": {
        "failedCopies": "Replicas that failed to load the model.",
        "totalCopies": "Replicas that have loaded the model.",
    },
    "ModelStatus": {"transitionStatus": "How far the wanted model has replaced the active one."},
    "InferenceServiceStatus": {
        "annotations": "Facts about the status for other programs.",
        "clusterServingRuntimeName": "The ClusterServingRuntime that was chosen.",
        "components": "Revisions, traffic and address of each component.",
        "conditions": "Ready, and what it depends on.",
        "deploymentMode": "How it runs: Knative or Standard.",
        "observedGeneration": "The generation of the spec that this status is about.",
        "servingRuntimeName": "The ServingRuntime that was chosen.",
    },
    "ServingRuntimeSpec": {
        "grpcDataEndpoint": "Where ModelMesh reaches the runtime's gRPC inference.",
        "grpcEndpoint": "Where ModelMesh manages the runtime's models.",
        "hostIPC": "Whether the pod shares the node's inter-process communication.",
        "httpDataEndpoint": "Where ModelMesh reaches the runtime's HTTP inference.",
        "imagePullSecrets": "Secrets with the credentials of image registries.",
        "nodeSelector": "Labels that the node must have.",
        "replicas": "Replicas of the runtime (ModelMesh).",
        "resourceClaims": "Resource claims that containers of the pod use.",
        "schedulerName": "The scheduler that chooses the node.",
        "supportedModelFormats": "The model formats that the runtime serves.",
        "tolerations": "Taints of nodes that the pod accepts.",
        "volumes": "Volumes that containers of the pod mount.",
        "workerSpec": "The pods beside the head of a model that spans several nodes.",
    },
    "BuiltInAdapter": {
        "env": "Environment variables of the adapter.",
        "memBufferBytes": "Memory kept free of models, in bytes.",
        "modelLoadingTimeoutMillis": "Milliseconds the loading of a model may take.",
        "runtimeManagementPort": "Port of the runtime's management interface.",
        "serverType": "The kind of the runtime, such as triton.",
    },
    "StorageHelper": {"disabled": "Whether the runtime fetches models itself."},
}

DESCRIPTIONS: Mapping[str, Mapping[str, str]] = {**_POD, **_VOLUMES, **_SERVICES}
"""Sentences by type and field."""


def described(model: type, field: str) -> str | None:
    """Return what a field of a type, or of one of its bases, means; None where nothing is said."""
    said = (DESCRIPTIONS.get(cls.__name__, {}).get(field) for cls in model.__mro__)
    return next(filter(None, said), None)
