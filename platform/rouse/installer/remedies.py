"""Where what a cluster lacks comes from: the commands, in one place. Data only."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Final

import orjson

__all__ = ["INSTALL_COMMANDS", "NET_ISTIO", "merge_command"]

_KNATIVE: Final = "https://github.com/knative/serving/releases/latest/download"
_NET_ISTIO: Final = "https://github.com/knative/net-istio/releases/latest/download"

NET_ISTIO: Final = f"kubectl apply -f {_NET_ISTIO}/net-istio.yaml"
"""Knative's gateways, and what makes Istio serve its routes."""

INSTALL_COMMANDS: Final[Mapping[str, str]] = {
    "serving.kserve.io": "kubectl apply --server-side -f manifests/crds",
    "serving.knative.dev": f"kubectl apply -f {_KNATIVE}/serving-crds.yaml "
    f"&& kubectl apply -f {_KNATIVE}/serving-core.yaml",
    "networking.istio.io": f"kubectl apply -l knative.dev/crd-install=true "
    f"-f {_NET_ISTIO}/istio.yaml && kubectl apply -f {_NET_ISTIO}/istio.yaml",
    "security.istio.io": f"kubectl apply -l knative.dev/crd-install=true "
    f"-f {_NET_ISTIO}/istio.yaml && kubectl apply -f {_NET_ISTIO}/istio.yaml",
    "telemetry.istio.io": f"kubectl apply -l knative.dev/crd-install=true "
    f"-f {_NET_ISTIO}/istio.yaml && kubectl apply -f {_NET_ISTIO}/istio.yaml",
    "keda.sh": "helm install keda kedacore/keda --namespace keda --create-namespace",
    "cert-manager.io": "kubectl apply -f "
    "https://github.com/cert-manager/cert-manager/releases/latest/download/cert-manager.yaml",
    "monitoring.coreos.com": "helm install prometheus kube-prometheus-stack "
    "--repo https://prometheus-community.github.io/helm-charts --namespace monitoring "
    "--create-namespace",
}
"""Group of an API -> the command that installs its kinds."""


def merge_command(namespace: str, name: str, data: Mapping[str, str]) -> str:
    """Return the command that sets keys of a ConfigMap."""
    patch = orjson.dumps({"data": dict(data)}).decode()
    return f"kubectl patch configmap {name} -n {namespace} --type merge -p {shlex.quote(patch)}"
