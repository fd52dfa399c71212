"""The three listeners: ingress gateway, local gateway, activator."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from rouse.embedded.limits import CLUSTER_HEADER
from rouse.embedded.mesh.translate.envoy import typed
from rouse.embedded.mesh.translate.names import (
    ACTIVATOR,
    ACTIVATOR_CHECK,
    LOCAL,
)
from rouse.embedded.mesh.translate.policies import retry_policy
from rouse.embedded.mesh.translate.replies import activator_replies, gateway_replies
from rouse.kube.objects import Object

__all__ = [
    "ACTIVATOR_TIMEOUT_S",
    "DNS_CACHE",
    "ORIGINAL_DST_HEADER",
    "make_activator",
    "make_gateway",
]

ORIGINAL_DST_HEADER: Final = "x-envoy-original-dst-host"
ACTIVATOR_TIMEOUT_S: Final = 660
"""Longer than any revision's timeout (600 s), so that the activator decides, not Envoy."""

_BUFFER_BYTES: Final = 1 << 20
_HEADER_KIB: Final = 96
_MOST_HEADERS: Final = 200
_IDLE: Final = "3600s"
_CHECK_HEADERS: Final = (
    "knative-serving-revision",
    "knative-serving-namespace",
    "traceparent",
    "x-request-id",
)
_DENIAL_HEADERS: Final = ("retry-after", "content-type", "server-timing")
_ROUTER: Final = {
    "name": "envoy.filters.http.router",
    "typed_config": typed(
        "envoy.extensions.filters.http.router.v3.Router", {"suppress_envoy_headers": True}
    ),
}
_NO_SPOOFING: Final = {
    "name": "envoy.http.early_header_mutation.header_mutation",
    "typed_config": typed(
        "envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation",
        {"mutations": [{"remove": ORIGINAL_DST_HEADER}, {"remove": CLUSTER_HEADER}]},
    ),
}
"""A client must not choose the address its request goes to."""


DNS_CACHE: Final = {
    "name": "outside",
    "dns_lookup_family": "V4_PREFERRED",
    "dns_query_timeout": "5s",
}
"""Of the hosts outside that processes of this machine ask for through the local gateway."""
_FORWARD_PROXY: Final[Object] = {
    "name": "envoy.filters.http.dynamic_forward_proxy",
    "typed_config": typed(
        "envoy.extensions.filters.http.dynamic_forward_proxy.v3.FilterConfig",
        {"dns_cache_config": DNS_CACHE},
    ),
}


def make_gateway(
    name: str,
    host: str,
    port: int,
    routes: Object,
    *,
    policies: Mapping[str, Object],
    shared: bool,
) -> Object:
    """Make a listener whose route table is ``name``; ``routes`` is the table's config source.

    ``policies`` are the config sources of the filters that decide who may call, by name.

    ``shared`` lets several worker threads accept on sockets of their own.
    """
    filters: list[Object] = [
        # Off unless a route configures it, so that other requests do not pass through it.
        {"name": f"envoy.filters.http.{kind}", "disabled": True, "typed_config": typed(type_name)}
        for kind, type_name in (
            ("cors", "envoy.extensions.filters.http.cors.v3.Cors"),
            ("fault", "envoy.extensions.filters.http.fault.v3.HTTPFault"),
        )
    ]
    if name == LOCAL:
        filters.append(_FORWARD_PROXY)
    manager = _manager(name, [*map(_policy, policies, policies.values()), *filters, _ROUTER])
    manager["use_remote_address"] = True
    manager["local_reply_config"] = gateway_replies()
    manager["rds"] = {"route_config_name": name, "config_source": routes}
    return _listener(name, host, port, manager, shared=shared)


def _policy(name: str, source: Object) -> Object:
    """Make a filter that changes without the listener: connections that are open obey at once."""
    types = (
        "type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication",
        "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC",
        "type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz",
    )
    discovery = {"config_source": source, "type_urls": list(types)}
    return {"name": name, "config_discovery": discovery}


def make_activator(host: str, port: int, *, shared: bool) -> Object:
    """Make the listener that asks the activator first and then goes where it says."""
    manager = _manager(ACTIVATOR, [_activator_filter(), _ROUTER])
    manager |= {
        "local_reply_config": activator_replies(),
        "skip_xff_append": True,
        "generate_request_id": False,
        "route_config": {
            "name": ACTIVATOR,
            "virtual_hosts": [
                {
                    "name": ACTIVATOR,
                    "domains": ["*"],
                    "routes": [
                        {
                            "match": {"prefix": "/"},
                            "route": {
                                "cluster_header": CLUSTER_HEADER,
                                "timeout": "0s",
                                "retry_policy": retry_policy(None, ""),
                            },
                            "request_headers_to_remove": [CLUSTER_HEADER],
                        }
                    ],
                }
            ],
        },
    }
    return _listener(ACTIVATOR, host, port, manager, shared=shared)


def _activator_filter() -> Object:
    def exactly(*names: str) -> Object:
        return {"patterns": [{"exact": name} for name in names]}

    config = {
        "transport_api_version": "V3",
        "stat_prefix": ACTIVATOR,
        "failure_mode_allow": False,
        # The cluster is the answer's: only now is it known.
        "clear_route_cache": True,
        "status_on_error": {"code": "NetworkAuthenticationRequired"},
        "allowed_headers": exactly(*_CHECK_HEADERS),
        "http_service": {
            "server_uri": {
                "uri": "http://activator",
                "cluster": ACTIVATOR_CHECK,
                "timeout": f"{ACTIVATOR_TIMEOUT_S}s",
            },
            "authorization_response": {
                "allowed_upstream_headers": exactly(ORIGINAL_DST_HEADER, CLUSTER_HEADER),
                "allowed_client_headers": exactly(*_DENIAL_HEADERS),
                "allowed_client_headers_on_success": exactly("server-timing"),
            },
        },
    }
    return {
        "name": "envoy.filters.http.ext_authz",
        "typed_config": typed("envoy.extensions.filters.http.ext_authz.v3.ExtAuthz", config),
    }


def _manager(name: str, filters: list[Object]) -> Object:
    return {
        "stat_prefix": name,
        "codec_type": "AUTO",
        "http_filters": filters,
        "early_header_mutation_extensions": [_NO_SPOOFING],
        "normalize_path": True,
        "server_header_transformation": "APPEND_IF_ABSENT",
        "stream_idle_timeout": _IDLE,
        "request_headers_timeout": "30s",
        "max_request_headers_kb": _HEADER_KIB,
        "common_http_protocol_options": {
            "idle_timeout": _IDLE,
            "max_headers_count": _MOST_HEADERS,
        },
        "http_protocol_options": {"accept_http_10": True, "default_host_for_http_10": "localhost"},
        "http2_protocol_options": {
            "max_concurrent_streams": 1024,
            "initial_stream_window_size": _BUFFER_BYTES,
            "initial_connection_window_size": 16 * _BUFFER_BYTES,
            "allow_connect": True,
        },
        "upgrade_configs": [{"upgrade_type": "websocket"}],
    }


def _listener(name: str, host: str, port: int, manager: Object, *, shared: bool) -> Object:
    network_filter = {
        "name": "envoy.filters.network.http_connection_manager",
        "typed_config": typed(
            "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            manager,
        ),
    }
    return typed(
        "envoy.config.listener.v3.Listener",
        {
            "name": name,
            "address": {"socket_address": {"address": host, "port_value": port}},
            # With one worker another process could otherwise share the port unnoticed.
            "enable_reuse_port": shared,
            "per_connection_buffer_limit_bytes": _BUFFER_BYTES,
            "tcp_backlog_size": 4096,
            "filter_chains": [{"filters": [network_filter]}],
        },
    )
