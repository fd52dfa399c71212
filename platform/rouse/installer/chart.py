"""The Helm chart, made of the same overlays: `python -m rouse.installer.chart OUT`.

A chart is a build product and is not kept in the repository. `helm template` of it with an overlay
and components gives their objects, but for two kinds of them: the namespace, which is Helm's to
make, and Knative's ConfigMaps, which are not this release's to own.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import orjson
import yaml

from rouse import __version__
from rouse.compiler.config import CONFIG_NAMESPACE
from rouse.errors import ConfigError
from rouse.installer.chart_apikeys import VALUES as API_KEY_VALUES
from rouse.installer.chart_apikeys import api_key_templates, values_schema
from rouse.installer.chart_components import VALUES as COMPONENT_VALUES
from rouse.installer.chart_components import ByComponents, switched, variants
from rouse.installer.chart_components import values_schema as component_schemas
from rouse.installer.charttext import template_of
from rouse.installer.kustomize import map_images
from rouse.installer.policy import Policy, policy_of
from rouse.installer.selection import overlay_names
from rouse.kube.objects import Object

__all__ = ["DEFAULT_OVERLAY", "chart_files", "write_chart"]

DEFAULT_OVERLAY: Final = "production"

_CRD: Final = "CustomResourceDefinition"
_VALUES_HEADER: Final = """\
# The overlay of Rouse: {overlays}.
overlay: {default}

# Gateways and Services that net-istio brings; true where they are not there already.
gateways:
  create: false

# Replicas and resources; null: those of the overlay.
controller:
  replicas: null
  resources: null
webhook:
  replicas: null
  resources: null

{api_keys}
{components}
# Every image, by its name. For a registry of your own, change these.
"""


def chart_files() -> dict[str, str]:
    """Return the chart's files: path inside the chart to text. Equal sources give equal files."""
    objects = variants(_belongs)
    images = _images(objects.values())
    keys = {image: key for key, image in images.items()}
    files = {
        "Chart.yaml": _dumped(
            {
                "apiVersion": "v2",
                "name": "rouse",
                "description": "Serverless inference: models sleep at zero and wake when called.",
                "type": "application",
                "version": __version__,
                "appVersion": f"v{__version__}",
                "kubeVersion": ">=1.30.0-0",
            }
        ),
        "values.yaml": _VALUES_HEADER.format(
            overlays=", ".join(overlay_names()),
            default=DEFAULT_OVERLAY,
            api_keys=API_KEY_VALUES,
            components=COMPONENT_VALUES,
        )
        + _dumped({"images": images}),
        "values.schema.json": orjson.dumps(_schema(), option=orjson.OPT_INDENT_2).decode(),
        "templates/NOTES.txt": _NOTES,
        **api_key_templates(keys),
    }
    for (_, kind, namespace, name), by_components in objects.items():
        if kind == _CRD:
            files[f"crds/{name}.yaml"] = _dumped(by_components[()][DEFAULT_OVERLAY])
        else:
            path = "-".join(filter(None, [kind.lower(), namespace, name.replace(".", "-")]))
            text = switched(by_components, lambda by_overlay: _template(by_overlay, keys))
            files[f"templates/{path}.yaml"] = text
    return files


def write_chart(folder: Path) -> None:
    """Write the chart into a folder that is empty, or that holds an earlier chart."""
    if folder.exists() and any(folder.iterdir()) and not (folder / "Chart.yaml").exists():
        raise ConfigError(f"{folder}: holds something else than a chart; give another folder")
    files = chart_files()
    for part in ("crds", "templates"):
        for old in (folder / part).glob("*"):
            if f"{part}/{old.name}" not in files:
                old.unlink()
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def _belongs(obj: Object) -> bool:
    if obj["kind"] == "Namespace":
        return bool(obj["metadata"]["name"] != CONFIG_NAMESPACE)
    others = obj["metadata"].get("namespace") != CONFIG_NAMESPACE
    return not (policy_of(obj) is Policy.MERGE and others)


def _images(objects: Iterable[ByComponents]) -> dict[str, str]:
    """Return every image by the key it has in the values."""
    found: dict[str, str] = {}

    def note(image: str) -> str:
        key = image_key(image)
        if found.setdefault(key, image) != image:
            raise ConfigError(f"two images would have the key {key}: {image} and {found[key]}")
        return image

    for by_components in objects:
        for by_overlay in by_components.values():
            for obj in by_overlay.values():
                map_images(obj, note)
    return dict(sorted(found.items()))


def image_key(image: str) -> str:
    """Return the key of an image in the values, such as ``sklearnserver``."""
    head, _, tag = image.rpartition(":")
    name = head.rpartition("/")[2]
    owner = head.split("/")[-2] if "/" in head else ""
    flavour = "-gpu" if tag.endswith("-gpu") else ""
    prefix = "" if owner == "rouse" else f"{owner}-"
    return f"{prefix}{name}{flavour}"


def _template(by_overlay: Mapping[str, Object], keys: Mapping[str, str]) -> str:
    """Return the template of one object: its variants, each for the overlays that have it so."""
    groups: list[tuple[str, list[str]]] = []
    for overlay, obj in by_overlay.items():
        made = template_of(obj, keys)
        for known, overlays in groups:
            if known == made:
                overlays.append(overlay)
                break
        else:
            groups.append((made, [overlay]))
    if len(groups) == 1 and len(by_overlay) == len(overlay_names()):
        text = groups[0][0]
    else:
        text = _chosen(groups)
    if policy_of(next(iter(by_overlay.values()))) is Policy.IF_ABSENT:
        text = f"{{{{- if .Values.gateways.create }}}}\n{text}{{{{- end }}}}\n"
    return text


def _chosen(groups: Iterable[tuple[str, list[str]]]) -> str:
    parts = []
    for number, (made, overlays) in enumerate(groups):
        listed = " ".join(f'"{overlay}"' for overlay in overlays)
        word = "if" if number == 0 else "else if"
        parts.append(f"{{{{- {word} has .Values.overlay (list {listed}) }}}}\n{made}")
    return "".join(parts) + "{{- end }}\n"


def _schema() -> Object:
    """Return what the values may be: a mistyped overlay would otherwise install next to nothing."""
    part = {
        "type": "object",
        "properties": {
            "replicas": {"type": ["integer", "null"], "minimum": 0},
            "resources": {"type": ["object", "null"]},
        },
    }
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "properties": {
            "overlay": {"enum": overlay_names()},
            "gateways": {"type": "object", "properties": {"create": {"type": "boolean"}}},
            "controller": part,
            "webhook": part,
            "apiKeys": values_schema(),
            **component_schemas(),
            "images": {"type": "object", "additionalProperties": {"type": "string"}},
        },
    }


def _dumped(value: Any) -> str:
    return yaml.safe_dump(value, sort_keys=False, width=100, allow_unicode=True)


_NOTES: Final = """\
Rouse is installed. Helm neither upgrades nor deletes the definitions in crds/: for an upgrade,

  kubectl apply --server-side -f crds/

What Knative lacks, and everything else that is not well, with the commands that mend it:

  rouse doctor
"""


def main() -> None:
    """Write the chart into the folder given as the only argument."""
    parser = argparse.ArgumentParser(
        prog="python -m rouse.installer.chart", description=main.__doc__
    )
    parser.add_argument("folder", type=Path, help="such as build/chart/rouse")
    write_chart(parser.parse_args().folder)


if __name__ == "__main__":
    main()
