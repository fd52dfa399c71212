"""Service port and DestinationRule -> Envoy cluster."""

from __future__ import annotations

from typing import Any, Final

from rouse.embedded.mesh.translate.envoy import UNLIMITED, digest, duration, seconds_of, typed
from rouse.embedded.mesh.translate.problems import InvalidFieldError
from rouse.kube.objects import Object

__all__ = ["eds_name", "hash_policy", "http_options", "make_cluster", "make_dns_cluster", "pinned"]

_CONNECT_TIMEOUT: Final = "5s"
_MOST_REQUESTS: Final = 100_000
_DEFAULT_LIMITS: Final = {
    "priority": "DEFAULT",
    "max_connections": _MOST_REQUESTS,
    "max_pending_requests": _MOST_REQUESTS,
    "max_requests": _MOST_REQUESTS,
    "max_retries": 1024,
}
_EDS: Final = {"resource_api_version": "V3", "ads": {}, "initial_fetch_timeout": "10s"}
_SIMPLE: Final = {
    "LEAST_REQUEST": "LEAST_REQUEST",
    "LEAST_CONN": "LEAST_REQUEST",
    "ROUND_ROBIN": "ROUND_ROBIN",
    "RANDOM": "RANDOM",
    "UNSPECIFIED": "LEAST_REQUEST",
}
_HTTP_OPTIONS: Final = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


def make_cluster(
    name: str,
    policy: Object,
    *,
    http2: bool,
    path: str = "trafficPolicy",
    per_replica: bool = False,
) -> Object:
    """Make the cluster of one Service port; endpoints come by EDS.

    ``per_replica`` makes the limit of connections one of each replica, not of all together.

    The name it asks endpoints for carries a digest of its configuration. So a changed cluster asks
    anew, and the answer's acknowledgement proves that the change is in effect.
    """
    cluster: Object = {
        "name": name,
        "type": "EDS",
        "lb_policy": _lb_policy(policy, path),
        **_limits(policy, http2=http2, path=path, per_replica=per_replica),
        # All replicas may be ejected or gone for a moment; others of the cluster still count.
        "common_lb_config": {"healthy_panic_threshold": {"value": 0}},
    }
    if outlier := policy.get("outlierDetection"):
        cluster["outlier_detection"] = _outlier_detection(outlier, f"{path}.outlierDetection")
    if (policy.get("tls") or {}).get("mode", "DISABLE") != "DISABLE":
        raise InvalidFieldError(f"{path}.tls.mode", "only DISABLE works in the embedded mesh")
    asked = f"{name}#{digest(cluster)}"
    cluster["eds_cluster_config"] = {"eds_config": _EDS, "service_name": asked}
    return typed("envoy.config.cluster.v3.Cluster", cluster)


def make_dns_cluster(name: str, host: str, port: int) -> Object:
    """Make the cluster of an ExternalName Service that leads out of the cluster."""
    return typed(
        "envoy.config.cluster.v3.Cluster",
        {
            "name": name,
            "type": "LOGICAL_DNS",
            "dns_lookup_family": "V4_PREFERRED",
            **_limits({}, http2=False, path=""),
            "load_assignment": pinned(
                name, {"socket_address": {"address": host, "port_value": port}}
            ),
        },
    )


def pinned(name: str, address: Object) -> Object:
    """Make the ``load_assignment`` of a cluster with one fixed address."""
    endpoint = {"endpoint": {"address": address}}
    return {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]}


def eds_name(cluster: Object) -> str | None:
    """Return the name a cluster asks endpoints for, None if it does not ask."""
    config = cluster.get("eds_cluster_config")
    return config["service_name"] if config else None


def hash_policy(policy: Object) -> tuple[Object, ...]:
    """Return the route's part of consistent hashing."""
    chosen = (policy.get("loadBalancer") or {}).get("consistentHash") or {}
    if "httpHeaderName" in chosen:
        return ({"header": {"header_name": chosen["httpHeaderName"]}},)
    if "httpCookie" in chosen:
        cookie = chosen["httpCookie"]
        config = {"name": cookie.get("name"), "path": cookie.get("path", "")}
        if cookie.get("ttl") is not None:
            config["ttl"] = duration(seconds_of(cookie["ttl"], "httpCookie.ttl"))
        return ({"cookie": config},)
    if "httpQueryParameterName" in chosen:
        return ({"query_parameter": {"name": chosen["httpQueryParameterName"]}},)
    if chosen.get("useSourceIp"):
        return ({"connection_properties": {"source_ip": True}},)
    return ()


def http_options(
    *, http2: bool, common: Object | None = None, h2_options: Object | None = None
) -> Object:
    """Make ``typed_extension_protocol_options`` for HTTP/1.1 or HTTP/2 towards replicas."""
    explicit = (
        {"http2_protocol_options": h2_options or {}} if http2 else {"http_protocol_options": {}}
    )
    options: Object = {"explicit_http_config": explicit}
    if common:
        options["common_http_protocol_options"] = common
    return {_HTTP_OPTIONS: typed(_HTTP_OPTIONS, options)}


def _lb_policy(policy: Object, path: str) -> str:
    balancer = policy.get("loadBalancer") or {}
    if balancer.get("consistentHash"):
        if not hash_policy(policy):
            where = f"{path}.loadBalancer.consistentHash"
            raise InvalidFieldError(where, "needs a header, cookie, query parameter or source IP")
        return "RING_HASH"
    simple = str(balancer.get("simple", "LEAST_REQUEST")).upper()
    if simple not in _SIMPLE:
        known = ", ".join(_SIMPLE)
        raise InvalidFieldError(f"{path}.loadBalancer.simple", f"must be one of {known}")
    return _SIMPLE[simple]


def _limits(policy: Object, *, http2: bool, path: str, per_replica: bool = False) -> Object:
    pool = policy.get("connectionPool") or {}
    tcp, http = pool.get("tcp") or {}, pool.get("http") or {}
    thresholds = dict(_DEFAULT_LIMITS)
    for field, value, where in (
        ("max_connections", tcp.get("maxConnections"), "tcp.maxConnections"),
        (
            "max_pending_requests",
            http.get("http1MaxPendingRequests"),
            "http.http1MaxPendingRequests",
        ),
        ("max_requests", http.get("http2MaxRequests"), "http.http2MaxRequests"),
        ("max_retries", http.get("maxRetries"), "http.maxRetries"),
    ):
        if value is not None:
            thresholds[field] = _count(value, f"{path}.connectionPool.{where}")
    breakers: Object = {"thresholds": [thresholds]}
    if per_replica:
        breakers["per_host_thresholds"] = [{"max_connections": thresholds["max_connections"]}]
        thresholds["max_connections"] = _MOST_REQUESTS
    common: Object = {}
    if per_connection := http.get("maxRequestsPerConnection"):
        where = f"{path}.connectionPool.http.maxRequestsPerConnection"
        common["max_requests_per_connection"] = _count(per_connection, where)
    if http.get("idleTimeout"):
        where = f"{path}.connectionPool.http.idleTimeout"
        common["idle_timeout"] = duration(seconds_of(http["idleTimeout"], where))
    h2_options: Object = {}
    if streams := http.get("maxConcurrentStreams"):
        where = f"{path}.connectionPool.http.maxConcurrentStreams"
        h2_options["max_concurrent_streams"] = _count(streams, where)
    upgrade = str(http.get("h2UpgradePolicy", "")).upper() == "UPGRADE"
    connect_timeout = _CONNECT_TIMEOUT
    if tcp.get("connectTimeout"):
        where = f"{path}.connectionPool.tcp.connectTimeout"
        connect_timeout = duration(seconds_of(tcp["connectTimeout"], where))
    return {
        "connect_timeout": connect_timeout,
        "circuit_breakers": breakers,
        "typed_extension_protocol_options": http_options(
            http2=http2 or upgrade, common=common, h2_options=h2_options
        ),
    }


def _outlier_detection(outlier: Object, path: str) -> Object:
    config: Object = {
        "enforcing_success_rate": 0,
        "max_ejection_percent": _count(outlier.get("maxEjectionPercent", 10), path),
    }
    for field, name in (
        ("consecutive5xxErrors", "consecutive_5xx"),
        ("consecutiveGatewayErrors", "consecutive_gateway_failure"),
    ):
        if outlier.get(field) is not None:
            count = _count(outlier[field], f"{path}.{field}", least=0)
            config[name] = max(1, count)
            config[f"enforcing_{name}"] = 100 if count else 0
    for field, name in (("interval", "interval"), ("baseEjectionTime", "base_ejection_time")):
        if outlier.get(field):
            config[name] = duration(seconds_of(outlier[field], f"{path}.{field}"))
    return config


def _count(value: Any, path: str, *, least: int = 1) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= UNLIMITED:
        raise InvalidFieldError(path, f"must be a whole number of {least} or more")
    return value
