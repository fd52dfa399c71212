"""The part of the Helm chart that checks API keys: the component ``api-keys``, by values."""

from __future__ import annotations

from collections.abc import Mapping

from rouse.installer.authorizer import is_cluster_wide, role_in, with_options
from rouse.installer.charttext import action, template_of
from rouse.installer.kustomize import identity
from rouse.installer.selection import Selection, select
from rouse.kube.objects import Object

__all__ = ["VALUES", "api_key_templates", "values_schema"]

VALUES = """\
# The authorizer of API keys. namespaces: where it may read keys; empty: everywhere.
# gatewayNamespace: auth.gatewayNamespace of rouse-config.
apiKeys:
  enabled: false
  namespaces: []
  gatewayNamespace: istio-system
"""


def api_key_templates(image_keys: Mapping[str, str]) -> dict[str, str]:
    """Return the templates: path inside the chart to text.

    ``image_keys`` are the keys that images have in the values.
    """
    gateway = action(".Values.apiKeys.gatewayNamespace")
    namespaces = action('join "," .Values.apiKeys.namespaces')
    return {
        f"templates/api-keys-{obj['kind'].lower()}-{obj['metadata']['name']}.yaml": (
            f"{{{{- if .Values.apiKeys.enabled }}}}\n{_template(obj, image_keys)}{{{{- end }}}}\n"
        )
        for obj in with_options(_objects(), gateway, namespaces)
    }


def values_schema() -> Object:
    """Return the JSON schema of the values."""
    namespace = {"type": "string", "minLength": 1}
    return {
        "type": "object",
        "properties": {
            "enabled": {"type": "boolean"},
            "namespaces": {"type": "array", "items": namespace, "uniqueItems": True},
            "gatewayNamespace": namespace,
        },
        "additionalProperties": False,
    }


def _objects() -> list[Object]:
    """Return the objects that the component brings."""
    before = {identity(obj) for obj in select(Selection("minimal"))}
    more = select(Selection("minimal", ("api-keys",)))
    return [obj for obj in more if identity(obj) not in before]


def _template(obj: Object, image_keys: Mapping[str, str]) -> str:
    text = template_of(obj, image_keys)
    if not is_cluster_wide(obj):
        return text
    each = template_of(role_in(obj, action(".")), image_keys)
    return (
        "{{- if .Values.apiKeys.namespaces }}\n"
        f"{{{{- range .Values.apiKeys.namespaces }}}}\n---\n{each}{{{{- end }}}}\n"
        f"{{{{- else }}}}\n{text}{{{{- end }}}}\n"
    )
