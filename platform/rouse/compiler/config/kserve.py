"""KServe's ConfigMap inferenceservice-config, as far as it decides what is compiled."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rouse.compiler.config.reading import parse_text
from rouse.errors import FieldError

__all__ = ["read_kserve", "sections_of", "settings_of"]

_SIDECAR = {key: key for key in ("image", "cpuRequest", "cpuLimit", "memoryRequest", "memoryLimit")}

# Section -> key of KServe -> the setting it is, "a.b" being key b of the structured setting a.
_SECTIONS: Mapping[str, Mapping[str, str]] = {
    "agent": {key: f"agent.{key}" for key in _SIDECAR},
    "autoscaler": {
        "scaleUpStabilizationWindowSeconds": "scaleUpStabilizationWindowSeconds",
        "scaleDownStabilizationWindowSeconds": "scaleDownStabilizationWindowSeconds",
    },
    "batcher": {"maxBatchSize": "batcherMaxBatchSize", "maxLatency": "batcherMaxLatencyMs"},
    "credentials": {
        "storageSpecSecretName": "credentials.storageSpecSecretName",
        "storageSecretNameAnnotation": "credentials.storageSecretNameAnnotation",
        "gcs.gcsCredentialFileName": "credentials.gcsCredentialFileName",
        "s3.s3AccessKeyIDName": "credentials.s3AccessKeyIdName",
        "s3.s3SecretAccessKeyName": "credentials.s3SecretAccessKeyName",
        "s3.s3Endpoint": "credentials.s3Endpoint",
        "s3.s3UseHttps": "credentials.s3UseHttps",
        "s3.s3Region": "credentials.s3Region",
        "s3.s3VerifySSL": "credentials.s3VerifySsl",
        "s3.s3UseVirtualBucket": "credentials.s3UseVirtualBucket",
        "s3.s3UseAccelerate": "credentials.s3UseAccelerate",
        "s3.s3UseAnonymousCredential": "credentials.s3UseAnonymousCredential",
        "s3.s3CABundle": "credentials.s3CaBundle",
        "s3.s3CABundleConfigMap": "credentials.s3CaBundleConfigMap",
    },
    "deploy": {
        "defaultDeploymentMode": "defaultDeploymentMode",
        "deploymentRolloutStrategy.defaultRollout.maxSurge": "deploymentRollout.maxSurge",
        "deploymentRolloutStrategy.defaultRollout.maxUnavailable": (
            "deploymentRollout.maxUnavailable"
        ),
    },
    "inferenceService": {
        "serviceAnnotationDisallowedList": "annotationsDisallowed",
        "serviceLabelDisallowedList": "labelsDisallowed",
        "resource.cpuRequest": "resources.cpuRequest",
        "resource.cpuLimit": "resources.cpuLimit",
        "resource.memoryRequest": "resources.memoryRequest",
        "resource.memoryLimit": "resources.memoryLimit",
    },
    "ingress": {
        "ingressDomain": "domain",
        "additionalIngressDomains": "additionalDomains",
        "domainTemplate": "domainTemplate",
        "pathTemplate": "pathTemplate",
        "urlScheme": "urlScheme",
        "ingressGateway": "ingressGateway",
        "localGateway": "localGateway",
        "localGatewayService": "localGatewayService",
        "disableIngressCreation": "disableIngressCreation",
        # The older name of the same wish in mode Knative.
        "disableIstioVirtualHost": "disableIngressCreation",
    },
    "logger": {"defaultUrl": "loggerDefaultUrl"},
    "opentelemetryCollector": {
        "scrapeInterval": "otelCollector.scrapeInterval",
        "metricReceiverEndpoint": "otelCollector.metricReceiverEndpoint",
        "metricScalerEndpoint": "otelCollector.metricScalerEndpoint",
        **{f"resource.{key}": f"otelCollector.{key}" for key in _SIDECAR if key != "image"},
    },
    "router": {
        **{key: f"router.{key}" for key in _SIDECAR if key != "image"},
        "headers.propagate": "router.headers.propagate",
        "imagePullSecrets": "router.imagePullSecrets",
    },
    "service": {"serviceClusterIPNone": "serviceClusterIpNone"},
    "storageInitializer": {
        **{key: f"storageInitializer.{key}" for key in _SIDECAR if key != "image"},
        "ociModelMode": "storageInitializer.enableOciVolumes",
    },
}

_MODES = {"Serverless": "Knative", "RawDeployment": "Standard"}


def settings_of(section: str) -> set[str]:
    """Return the settings that a section of KServe's file decides."""
    return {target.partition(".")[0] for target in _SECTIONS.get(section, {}).values()}


def sections_of(setting: str) -> set[str]:
    """Return the sections of KServe's file that decide a setting."""
    return {section for section in _SECTIONS if setting in settings_of(section)}


def read_kserve(data: Mapping[str, str]) -> tuple[dict[str, Any], list[FieldError]]:
    """Return the settings by their keys of rouse-config, and what cannot be read.

    Sections and keys without a meaning here pass, so that every version of KServe's file can be
    read. The images of KServe's storage initializer and router are not taken: what they are
    told is KServe's own.
    """
    values: dict[str, Any] = {}
    findings: list[FieldError] = []
    for section, keys in _SECTIONS.items():
        if section not in data:
            continue
        parsed: dict[str, Any] = {}
        parse_text(section, data[section], parsed, findings)
        content = parsed.get(section, {})
        if not isinstance(content, Mapping):
            findings.append(FieldError(section, "must be a JSON object"))
            continue
        for source, target in keys.items():
            # An empty text in KServe's file is a setting left out.
            if (given := _at(content, source)) not in (None, "", False):
                _put(values, target, _translated(source, given))
    return values, findings


def _at(content: Mapping[str, Any], path: str) -> Any:
    found: Any = content
    for part in path.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def _put(values: dict[str, Any], target: str, value: Any) -> None:
    *groups, key = target.split(".")
    for group in groups:
        values = values.setdefault(group, {})
    values[key] = value


def _translated(source: str, given: Any) -> Any:
    if source == "defaultDeploymentMode":
        return _MODES.get(str(given), given)
    if source == "ociModelMode":
        return given == "native"
    if source == "disableIstioVirtualHost":
        return str(given).lower() == "true"
    return given
