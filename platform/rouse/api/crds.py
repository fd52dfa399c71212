"""The CustomResourceDefinitions, generated from the types: ``python -m rouse.api.crds FOLDER``."""

from __future__ import annotations

import argparse
from pathlib import Path

import yaml

from rouse.api.base import OPEN_SCHEMA, Object
from rouse.api.definitions import DEFINITIONS, Definition
from rouse.api.inferenceservice.types import FRAMEWORKS, InferenceService
from rouse.api.rules import add_rules
from rouse.api.schema import structural_schema

__all__ = ["make_crds", "write_crds"]

GROUP = "serving.kserve.io"

_HEADER = "# Generated from the types by `python -m rouse.api.crds manifests/crds`; do not edit.\n"

_ROOT_PROPERTIES: Object = {
    # What the API server checks itself; it describes metadata itself too.
    "apiVersion": {"type": "string", "description": "Group and version of the kind."},
    "kind": {"type": "string", "description": "The kind of the object."},
    "metadata": {"type": "object"},
}


def make_crds() -> dict[str, Object]:
    """Return every CustomResourceDefinition by its name."""
    crds = (_make_crd(definition) for definition in DEFINITIONS)
    return {crd["metadata"]["name"]: crd for crd in crds}


def write_crds(folder: Path) -> None:
    """Write one YAML file per CustomResourceDefinition into the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, crd in make_crds().items():
        (folder / f"{name}.yaml").write_text(render(crd), encoding="utf-8")


def render(crd: Object) -> str:
    """Return the YAML of one file."""
    return _HEADER + yaml.dump(crd, sort_keys=False, width=100, Dumper=_Dumper)


def _make_schema(definition: Definition) -> Object:
    schema = structural_schema(definition.model)
    properties = schema["properties"] | _ROOT_PROPERTIES
    if definition.status is not None:
        properties["status"] = structural_schema(definition.status)
    elif "status" in properties:
        properties["status"] = {**OPEN_SCHEMA, "description": "What was observed."}
    schema |= {"properties": dict(sorted(properties.items())), "required": ["spec"]}
    if definition.model is InferenceService:
        _open_what_is_old(schema)
    add_rules(schema, definition.kind)
    return schema


def _open_what_is_old(schema: Object) -> None:
    predictor = schema["properties"]["spec"]["properties"]["predictor"]["properties"]
    for framework in FRAMEWORKS:
        # Typed where they are read; typed here too they would make up three quarters of the file.
        predictor[framework] = {
            **OPEN_SCHEMA,
            "description": f"The old style of model with modelFormat.name {framework}.",
        }
    schema["properties"]["status"]["x-kubernetes-preserve-unknown-fields"] = True


def _make_crd(definition: Definition) -> Object:
    kind = definition.kind
    plural = kind.lower() + "s"
    names: Object = {
        "kind": kind,
        "listKind": f"{kind}List",
        "plural": plural,
        "singular": kind.lower(),
        "categories": [*(["all"] if definition.columns else []), "kserve"],
    }
    if definition.short_names:
        names["shortNames"] = list(definition.short_names)
    version: Object = {
        "name": definition.version,
        "served": True,
        "storage": True,
        "subresources": {"status": {}} if definition.status_subresource else {},
    }
    if definition.columns:
        version["additionalPrinterColumns"] = [
            {"name": name, "type": type_, "jsonPath": path}
            for name, type_, path in definition.columns
        ]
    version["schema"] = {"openAPIV3Schema": _make_schema(definition)}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "names": names,
            "scope": "Cluster" if definition.cluster else "Namespaced",
            "versions": [version],
        },
    }


class _Dumper(yaml.SafeDumper):
    """Writes every part out in full: an alias would tie the file to the order of its parts."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def main() -> None:
    """Write the definitions into the folder given as the only argument."""
    parser = argparse.ArgumentParser(prog="python -m rouse.api.crds", description=main.__doc__)
    parser.add_argument("folder", type=Path, help="such as manifests/crds")
    write_crds(parser.parse_args().folder)


if __name__ == "__main__":
    main()
