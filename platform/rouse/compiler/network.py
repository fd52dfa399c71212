"""How requests come to an InferenceService: its VirtualService and its name in the cluster."""

from __future__ import annotations

from rouse.api.base import Object
from rouse.api.inferenceservice.component import ComponentSpec
from rouse.api.inferenceservice.types import InferenceService
from rouse.compiler.config import Config
from rouse.compiler.metadata import is_cluster_local, make_metadata
from rouse.compiler.names import component_name, revision_host, service_host
from rouse.compiler.placeholders import Values, fill_text
from rouse.compiler.rollout import Rollout, Share

__all__ = [
    "external_host",
    "local_host",
    "make_external_name_service",
    "make_virtual_service",
    "public_url",
]

_PORT = 80


def local_host(isvc: InferenceService, config: Config) -> str:
    """Return the host clients inside the cluster use."""
    return service_host(isvc.name, isvc.namespace, config.cluster_domain)


def external_host(isvc: InferenceService, config: Config) -> str:
    """Return the host clients outside use. Raises CompileError for a bad domainTemplate."""
    values: Values = {
        "Name": isvc.name,
        "Namespace": isvc.namespace,
        "IngressDomain": config.domain,
        "Labels": isvc.labels,
        "Annotations": isvc.annotations,
    }
    return fill_text(config.domain_template, values, "domainTemplate of ConfigMap rouse-config")


def public_url(isvc: InferenceService, config: Config) -> str:
    """Return the URL shown in status: that of the outside, if there is one."""
    if is_cluster_local(isvc):
        return f"http://{local_host(isvc, config)}"
    return f"{config.url_scheme}://{external_host(isvc, config)}"


def make_external_name_service(isvc: InferenceService, config: Config) -> Object:
    """Return the Service that gives the cluster-local host an address: the local gateway's."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": make_metadata(isvc, isvc.name),
        "spec": {"type": "ExternalName", "externalName": config.local_gateway_service},
    }


def make_virtual_service(
    isvc: InferenceService, component: ComponentSpec, rollout: Rollout, config: Config
) -> Object:
    """Return the VirtualService that shares the requests between the predictor's revisions."""
    hosts, gateways = [local_host(isvc, config)], [config.local_gateway]
    if not is_cluster_local(isvc):
        hosts.append(external_host(isvc, config))
        gateways.append(config.ingress_gateway)
    predictor = component_name(isvc.name, "predictor")
    headers = {
        "Host": service_host(predictor, isvc.namespace, config.cluster_domain),
        "KServe-Isvc-Name": isvc.name,
        "KServe-Isvc-Namespace": isvc.namespace,
    }
    route: Object = {
        "headers": {"request": {"set": headers}},
        "route": [_destination(share, isvc.namespace, config) for share in rollout.shares],
    }
    if component.timeout:
        route["timeout"] = f"{component.timeout}s"
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": make_metadata(isvc, isvc.name),
        "spec": {"hosts": hosts, "gateways": gateways, "http": [route]},
    }


def _destination(share: Share, namespace: str, config: Config) -> Object:
    # Knative's activator knows a revision by these headers, not by the host it was called by.
    headers = {
        "Knative-Serving-Namespace": namespace,
        "Knative-Serving-Revision": share.revision,
    }
    host = revision_host(share.revision, namespace, config.cluster_domain)
    return {
        "destination": {"host": host, "port": {"number": _PORT}},
        "headers": {"request": {"set": headers}},
        "weight": share.percent,
    }
