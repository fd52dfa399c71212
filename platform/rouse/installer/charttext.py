"""An object as the text of a Helm template."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import yaml

from rouse.installer.kustomize import map_images
from rouse.kube.objects import Object

__all__ = ["action", "template_of"]

_COMPONENTS: Final[Mapping[str, str]] = {
    "rouse-controller": "controller",
    "rouse-webhook": "webhook",
}
_MARK: Final = "@@"
"""Around what is to become an action: nothing of ours has it, and YAML leaves it as it is."""


def template_of(obj: Object, image_keys: Mapping[str, str]) -> str:
    """Return the text that Helm makes the object of.

    ``image_keys`` are the keys that images have in the values.
    """
    if obj["kind"] != "CustomResourceDefinition":
        obj = map_images(obj, lambda image: action(_image(image_keys[image])))
    late: dict[str, str] = {}
    if obj["kind"] == "Deployment" and obj["metadata"]["name"] in _COMPONENTS:
        obj = _with_values(obj, _COMPONENTS[obj["metadata"]["name"]], late)
    text = yaml.safe_dump(obj, sort_keys=False, width=4096, allow_unicode=True)
    # What looks like an action and is none of ours: KServe's placeholders such as {{.Name}}.
    text = text.replace("{{", "{{ `{{` }}") if "{{" in text else text
    for mark, made in late.items():
        text = text.replace(mark, made)
    return _resolved(text)


def _with_values(obj: Object, component: str, late: dict[str, str]) -> Object:
    """Return the Deployment whose replicas and resources the values can change."""
    spec, pod = obj["spec"], obj["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    resources = yaml.safe_dump(container["resources"], default_flow_style=True, width=4096).strip()
    replicas = f"{_MARK}replicas{_MARK}"
    amounts = f"{_MARK}resources{_MARK}"
    values = f".Values.{component}"
    # Not `default`: that would take 0 for nothing.
    late[f"'{replicas}'"] = (
        f'{{{{ if kindIs "invalid" {values}.replicas }}}}{spec["replicas"]}'
        f"{{{{ else }}}}{{{{ {values}.replicas }}}}{{{{ end }}}}"
    )
    late[f"'{amounts}'"] = (
        f"{{{{ with {values}.resources }}}}{{{{ toJson . }}}}{{{{ else }}}}{resources}{{{{ end }}}}"
    )
    changed = {**pod, "containers": [{**container, "resources": amounts}]}
    template = {**spec["template"], "spec": changed}
    return {**obj, "spec": {**spec, "replicas": replicas, "template": template}}


def _image(key: str) -> str:
    return f'index .Values.images "{key}"'


def action(expression: str) -> str:
    """Return what `template_of` makes an action of, quoted; it has to be a whole string."""
    return f"{_MARK}({expression}){_MARK}"


def _resolved(text: str) -> str:
    """Return the text with its marks as actions, quoted, so that any value is one string."""
    text = text.replace(f"'{_MARK}(", f"{_MARK}(").replace(f"){_MARK}'", f"){_MARK}")
    return text.replace(f"{_MARK}(", "{{ ").replace(f"){_MARK}", " | quote }}")
