"""Route -> VirtualService: the split between revisions for its host and for each tag's."""

from __future__ import annotations

from collections.abc import Sequence

from rouse.embedded.knative import names
from rouse.embedded.knative.traffic import Target
from rouse.kube.objects import Object, owner_reference

__all__ = ["hosts_of", "is_cluster_local", "make_virtual_service"]


def is_cluster_local(route: Object) -> bool:
    """Whether the route may be reached from inside the cluster only."""
    labels = route["metadata"].get("labels") or {}
    return bool(labels.get(names.VISIBILITY_LABEL) == names.CLUSTER_LOCAL)


def hosts_of(route: Object, tag: str, domain: str) -> list[str]:
    """The hosts of the route, or of one of its tags: inside first, then outside."""
    namespace = route["metadata"]["namespace"]
    name = names.tag_route_name(tag, route["metadata"]["name"])
    hosts = [names.local_host(name, namespace)]
    if not is_cluster_local(route):
        hosts.append(names.public_host(name, namespace, domain))
    return hosts


def make_virtual_service(route: Object, targets: Sequence[Target], domain: str) -> Object:
    """Requests by host to revisions by weight; each target's tag has a host of its own."""
    metadata = route["metadata"]
    namespace = metadata["namespace"]
    gateways = [names.LOCAL_GATEWAY]
    if not is_cluster_local(route):
        gateways.append(names.INGRESS_GATEWAY)
    tagged = {target.tag: target for target in targets if target.tag}
    hosts, rules = [], []
    for tag, target in sorted(tagged.items()):
        of_tag = hosts_of(route, tag, domain)
        hosts += of_tag
        rules.append(_rule(of_tag, [(target.revision, 100)], namespace))
    own = hosts_of(route, "", domain)
    rules.append(_rule(own, weights_of(targets), namespace))
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {
            "name": names.ingress_name(metadata["name"]),
            "namespace": namespace,
            "labels": {**(metadata.get("labels") or {}), names.ROUTE_LABEL: metadata["name"]},
            "ownerReferences": [owner_reference(route)],
        },
        "spec": {"hosts": [*own, *hosts], "gateways": gateways, "http": rules},
    }


def weights_of(targets: Sequence[Target]) -> list[tuple[str, int]]:
    """(revision, percent) of the targets that get any, each revision once, in their order."""
    weights: dict[str, int] = {}
    for target in targets:
        if target.percent:
            weights[target.revision] = weights.get(target.revision, 0) + target.percent
    return list(weights.items())


def _rule(hosts: Sequence[str], weights: Sequence[tuple[str, int]], namespace: str) -> Object:
    return {
        # A prefix, because the authority may carry a port.
        # Cluster-local hosts are asked for by their short forms too.
        "match": [{"authority": {"prefix": _shortest(host)}} for host in hosts],
        "route": [_destination(revision, percent, namespace) for revision, percent in weights],
    }


def _shortest(host: str) -> str:
    return host.removesuffix(f".{names.CLUSTER_DOMAIN}")


def _destination(revision: str, weight: int, namespace: str) -> Object:
    return {
        "destination": {"host": names.local_host(revision, namespace), "port": {"number": 80}},
        "weight": weight,
        "headers": {
            "request": {"set": {names.REVISION_HEADER: revision, names.NAMESPACE_HEADER: namespace}}
        },
    }
