"""What Envoy is started with: admin socket, where xDS comes from, and the mesh's own clusters."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from rouse.embedded.limits import UNLIMITED
from rouse.embedded.mesh.config import MeshOptions, MeshPaths, MeshPorts
from rouse.embedded.mesh.translate.clusters import http_options, pinned
from rouse.embedded.mesh.translate.envoy import typed
from rouse.embedded.mesh.translate.listeners import DNS_CACHE, make_activator, make_gateway
from rouse.embedded.mesh.translate.names import (
    ACTIVATOR_CHECK,
    AUTHORIZER,
    ENDPOINT_SERVER,
    INGRESS,
    LOCAL,
    OUTSIDE,
    POLICIES,
    static_cluster,
)
from rouse.kube.objects import Object

__all__ = ["file_source", "make_bootstrap", "make_listeners"]

_MOST_HELD: Final = 20_000
_HEAP_BYTES: Final = 1 << 30
_KEPT_STATS: Final = (
    r"cluster\.outbound\|.*\.(upstream_rq_active|upstream_rq_pending_active|upstream_rq_total"
    r"|upstream_rq_pending_overflow|upstream_cx_active|upstream_cx_connect_fail|membership_healthy"
    r"|upstream_rq_[1-5]xx)",
    r"extension_config_discovery\..*",
    r"http\.(ingress|local|activator)\..*",
    r"(listener_manager|cluster_manager|server|overload)\..*",
)
"""All others would cost memory for every cluster and are read by nobody."""


def make_listeners(paths: MeshPaths, ports: MeshPorts, options: MeshOptions) -> list[Object]:
    """Make the three listeners."""
    shared = options.concurrency > 1
    gateways = [
        make_gateway(
            name,
            ports.host,
            port,
            file_source(paths.routes(name)),
            policies={policy: file_source(paths.policy(policy)) for policy in POLICIES},
            shared=shared,
        )
        for name, port in ((INGRESS, ports.ingress), (LOCAL, ports.local))
    ]
    return [*gateways, make_activator(ports.host, ports.activator, shared=shared)]


def make_bootstrap(
    paths: MeshPaths, ports: MeshPorts, activator_socket: Path, options: MeshOptions
) -> Object:
    """Make the bootstrap configuration; it does not depend on any Kubernetes object."""
    return {
        "node": {"id": "rouse", "cluster": "rouse"},
        "admin": {"address": _pipe(paths.admin_socket)},
        "dynamic_resources": {
            "lds_config": file_source(paths.listeners),
            "cds_config": file_source(paths.clusters),
            "ads_config": {
                "api_type": "GRPC",
                "transport_api_version": "V3",
                "set_node_on_first_message_only": True,
                "grpc_services": [{"envoy_grpc": {"cluster_name": ENDPOINT_SERVER}}],
            },
        },
        "static_resources": {
            "clusters": [
                _static(ENDPOINT_SERVER, _pipe(paths.endpoints_socket), http2=True),
                _static(ACTIVATOR_CHECK, _pipe(activator_socket)),
                _static(AUTHORIZER, _pipe(paths.authorizer_socket)),
                _static(static_cluster(INGRESS), _tcp(ports.host, ports.ingress)),
                _static(static_cluster(LOCAL), _tcp(ports.host, ports.local)),
                _replicas(),
                _outside(),
            ]
        },
        "stats_config": {
            "use_all_default_tags": False,
            "stats_matcher": {
                "inclusion_list": {
                    "patterns": [{"safe_regex": {"regex": kept}} for kept in _KEPT_STATS]
                }
            },
        },
        "overload_manager": _overload(options.max_connections),
    }


def file_source(path: Path) -> Object:
    """Make a ConfigSource that follows a file; Envoy reads it when it is renamed into place."""
    return {"resource_api_version": "V3", "path_config_source": {"path": str(path)}}


def _static(name: str, address: Object, *, http2: bool = False) -> Object:
    return {
        "name": name,
        "type": "STATIC",
        "connect_timeout": "5s",
        "load_assignment": pinned(name, address),
        "circuit_breakers": _held(),
        "typed_extension_protocol_options": http_options(http2=http2),
    }


def _replicas() -> Object:
    """Make the cluster that goes to the address the activator's answer names."""
    protocol_options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
    return {
        "name": UNLIMITED,
        "type": "ORIGINAL_DST",
        "lb_policy": "CLUSTER_PROVIDED",
        "original_dst_lb_config": {"use_http_header": True},
        "connect_timeout": "5s",
        "cleanup_interval": "60s",
        "circuit_breakers": _held(),
        "typed_extension_protocol_options": {
            protocol_options: typed(
                protocol_options,
                {
                    # HTTP/2 is used towards a replica exactly when the gateway chose it.
                    "use_downstream_protocol_config": {
                        "http_protocol_options": {},
                        "http2_protocol_options": {},
                    }
                },
            )
        },
    }


def _outside() -> Object:
    """Make the cluster that goes to whatever host a request names."""
    config = typed(
        "envoy.extensions.clusters.dynamic_forward_proxy.v3.ClusterConfig",
        {"dns_cache_config": DNS_CACHE},
    )
    return {
        "name": OUTSIDE,
        "lb_policy": "CLUSTER_PROVIDED",
        "connect_timeout": "5s",
        "circuit_breakers": _held(),
        "cluster_type": {"name": "envoy.clusters.dynamic_forward_proxy", "typed_config": config},
    }


def _held() -> Object:
    limits = {f"max_{what}": _MOST_HELD for what in ("connections", "pending_requests", "requests")}
    return {"thresholds": [{"priority": "DEFAULT", "max_retries": 1024, **limits}]}


def _overload(max_connections: int) -> Object:
    return {
        "refresh_interval": "1s",
        "resource_monitors": [
            {
                "name": "envoy.resource_monitors.fixed_heap",
                "typed_config": typed(
                    "envoy.extensions.resource_monitors.fixed_heap.v3.FixedHeapConfig",
                    {"max_heap_size_bytes": str(_HEAP_BYTES)},
                ),
            },
            {
                "name": "envoy.resource_monitors.global_downstream_max_connections",
                "typed_config": typed(
                    "envoy.extensions.resource_monitors.downstream_connections.v3"
                    ".DownstreamConnectionsConfig",
                    {"max_active_downstream_connections": str(max_connections)},
                ),
            },
        ],
        "actions": [
            _action("shrink_heap", 0.85),
            _action("stop_accepting_requests", 0.95),
        ],
    }


def _action(name: str, threshold: float) -> Object:
    return {
        "name": f"envoy.overload_actions.{name}",
        "triggers": [
            {
                "name": "envoy.resource_monitors.fixed_heap",
                "threshold": {"value": threshold},
            }
        ],
    }


def _pipe(path: Path) -> Object:
    return {"pipe": {"path": str(path)}}


def _tcp(host: str, port: int) -> Object:
    return {"socket_address": {"address": host, "port_value": port}}
