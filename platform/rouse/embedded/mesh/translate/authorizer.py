"""The filter that asks the authorizer about the requests that policies of action CUSTOM name."""

from __future__ import annotations

from typing import Final

from rouse.embedded.mesh.translate.authorization import NOTE
from rouse.embedded.mesh.translate.envoy import typed
from rouse.embedded.mesh.translate.names import AUTHORIZER
from rouse.kube.objects import Object

__all__ = ["make_check"]

_RBAC: Final = "envoy.filters.http.rbac"
_TIMEOUT: Final = "2s"
_ASKED: Final = ("authorization", "x-api-key")
_PASSED_ON: Final = ("x-rouse-api-key-name",)
_ANSWERED: Final = ("content-type", "www-authenticate", "retry-after")


def make_check() -> Object:
    """Return what Istio makes of the extensionProvider that docs/access.md shows."""

    def exactly(names: tuple[str, ...]) -> Object:
        return {"patterns": [{"exact": name, "ignore_case": True} for name in names]}

    return typed(
        "envoy.extensions.filters.http.ext_authz.v3.ExtAuthz",
        {
            "transport_api_version": "V3",
            "stat_prefix": AUTHORIZER,
            "failure_mode_allow": False,
            "status_on_error": {"code": "ServiceUnavailable"},
            "filter_enabled_metadata": {
                "filter": _RBAC,
                "path": [{"key": f"{NOTE}shadow_effective_policy_id"}],
                "value": {"present_match": True},
            },
            "allowed_headers": exactly(_ASKED),
            "http_service": {
                "server_uri": {
                    "uri": "http://authorizer",
                    "cluster": AUTHORIZER,
                    "timeout": _TIMEOUT,
                },
                "authorization_response": {
                    "allowed_upstream_headers": exactly(_PASSED_ON),
                    "allowed_client_headers": exactly(_ANSWERED),
                },
            },
        },
    )
