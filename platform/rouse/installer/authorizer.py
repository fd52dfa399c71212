"""How far the authorizer of API keys may see: whose gateway, and which namespaces' keys. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from rouse.api.names import is_dns_subdomain
from rouse.authorizer.authorizer import GATEWAY_NAMESPACE
from rouse.errors import ConfigError
from rouse.kube.objects import Object

__all__ = [
    "GATEWAY_NAMESPACE",
    "NAME",
    "AuthorizerScope",
    "is_cluster_wide",
    "option_of",
    "role_in",
    "with_options",
    "with_scope",
]

NAME: Final = "rouse-authorizer"

_GATEWAY_OPTION: Final = "--gateway-namespace"
_KEYS_OPTION: Final = "--namespaces"
_CLUSTER_WIDE: Final = {"ClusterRole": "Role", "ClusterRoleBinding": "RoleBinding"}
_NAMESPACE_LABEL: Final = "kubernetes.io/metadata.name"


@dataclass(frozen=True, slots=True)
class AuthorizerScope:
    """What the component ``api-keys`` is limited to."""

    namespaces: tuple[str, ...] = ()
    """Where it reads keys; empty: everywhere."""
    gateway_namespace: str = GATEWAY_NAMESPACE
    """Where the gateway's pods and their policies are: ``auth.gatewayNamespace``."""


def with_scope(objects: Sequence[Object], scope: AuthorizerScope) -> list[Object]:
    """Return the objects with the authorizer's limited to ``scope``.

    Raises ConfigError where there is no authorizer among them, and for what is no namespace.
    """
    if not any(_is(obj, "Deployment") for obj in objects):
        raise ConfigError(
            "there is no authorizer to limit: --authorizer-namespaces and --gateway-namespace go "
            "with --component api-keys"
        )
    namespaces = tuple(dict.fromkeys(scope.namespaces))
    for name in (scope.gateway_namespace, *namespaces):
        if not is_dns_subdomain(name) or "." in name:
            raise ConfigError(f'"{name}" cannot be the name of a namespace')
    limited: list[Object] = []
    for obj in with_options(objects, scope.gateway_namespace, ",".join(namespaces)):
        if namespaces and is_cluster_wide(obj):
            limited += [role_in(obj, namespace) for namespace in namespaces]
        else:
            limited.append(obj)
    return limited


def with_options(objects: Iterable[Object], gateway: str, namespaces: str) -> list[Object]:
    """Return the objects with the authorizer started with these options, and open to ``gateway``.

    ``namespaces`` are joined by commas, as its command line takes them.
    """
    return [_with_options(obj, gateway, namespaces) for obj in objects]


def is_cluster_wide(obj: Object) -> bool:
    """Whether the object lets the authorizer read Secrets of every namespace."""
    return obj["kind"] in _CLUSTER_WIDE and obj["metadata"]["name"] == NAME


def role_in(obj: Object, namespace: str) -> Object:
    """Return the Role or RoleBinding that gives a cluster-wide right in one namespace only."""
    made = {
        **obj,
        "kind": _CLUSTER_WIDE[obj["kind"]],
        "metadata": {**obj["metadata"], "namespace": namespace},
    }
    if "roleRef" in obj:
        made["roleRef"] = {**obj["roleRef"], "kind": "Role"}
    return made


def option_of(deployment: Object, option: str) -> str:
    """Return the value of an option that the authorizer is started with; '' where it has none."""
    for container in deployment["spec"]["template"]["spec"]["containers"]:
        arguments = [str(each) for each in container.get("args") or ()]
        for at, argument in enumerate(arguments):
            name, equals, value = argument.partition("=")
            if name == option:
                return value if equals else next(iter(arguments[at + 1 :]), "")
    return ""


def _with_options(obj: Object, gateway: str, namespaces: str) -> Object:
    if _is(obj, "Deployment"):
        values = {_GATEWAY_OPTION: gateway, _KEYS_OPTION: namespaces}
        pod = obj["spec"]["template"]["spec"]
        containers = [{**one, "args": _set(one["args"], values)} for one in pod["containers"]]
        template = {**obj["spec"]["template"], "spec": {**pod, "containers": containers}}
        return {**obj, "spec": {**obj["spec"], "template": template}}
    if _is(obj, "NetworkPolicy"):
        ingress = [_from_gateway(rule, gateway) for rule in obj["spec"]["ingress"]]
        return {**obj, "spec": {**obj["spec"], "ingress": ingress}}
    if obj["kind"] in ("Role", "RoleBinding") and obj["metadata"]["name"] == f"{NAME}-policies":
        return {**obj, "metadata": {**obj["metadata"], "namespace": gateway}}
    return obj


def _is(obj: Object, kind: str) -> bool:
    return bool(obj["kind"] == kind and obj["metadata"]["name"] == NAME)


def _set(arguments: Sequence[str], values: dict[str, str]) -> list[str]:
    """Return the arguments with other values after these options."""
    before = ["", *arguments]
    return [values.get(name, each) for name, each in zip(before, arguments, strict=False)]


def _from_gateway(rule: Object, gateway: str) -> Object:
    """Return the rule, the one that names a namespace with that of the gateway."""
    peers = rule.get("from") or ()
    if not any((peer["namespaceSelector"].get("matchLabels")) for peer in peers):
        return rule
    selector = {"namespaceSelector": {"matchLabels": {_NAMESPACE_LABEL: gateway}}}
    return {**rule, "from": [selector]}
