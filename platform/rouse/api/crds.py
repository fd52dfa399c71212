"""The CustomResourceDefinitions, generated from the types: ``python -m rouse.api.crds FOLDER``."""

from __future__ import annotations

import sys
from pathlib import Path

import yaml

from rouse.api.base import OPEN_SCHEMA, Object
from rouse.api.inferenceservice.status import InferenceServiceStatus
from rouse.api.inferenceservice.types import FRAMEWORKS, InferenceService
from rouse.api.schema import structural_schema
from rouse.api.servingruntime.types import ClusterServingRuntime, ServingRuntime

__all__ = ["make_crds", "write_crds"]

GROUP = "serving.kserve.io"

_HEADER = "# Generated from the types by `python -m rouse.api.crds manifests/crds`; do not edit.\n"

_LATEST = ".status.components.predictor.traffic[?(@.latestRevision==true)]"
_PREVIOUS = ".status.components.predictor.traffic[?(@.tag=='prev')]"
_AGE = ("Age", "date", ".metadata.creationTimestamp")

_SERVICE_COLUMNS = (
    ("URL", "string", ".status.url"),
    ("Ready", "string", ".status.conditions[?(@.type=='Ready')].status"),
    ("Prev", "integer", f"{_PREVIOUS}.percent"),
    ("Latest", "integer", f"{_LATEST}.percent"),
    ("PrevRolledoutRevision", "string", f"{_PREVIOUS}.revisionName"),
    ("LatestReadyRevision", "string", f"{_LATEST}.revisionName"),
    _AGE,
)

_RUNTIME_COLUMNS = (
    ("Disabled", "boolean", ".spec.disabled"),
    ("ModelType", "string", ".spec.supportedModelFormats[*].name"),
    ("Containers", "string", ".spec.containers[*].name"),
    _AGE,
)


def make_crds() -> dict[str, Object]:
    """Return every CustomResourceDefinition by its name."""
    crds = (
        _make_crd(
            "InferenceService",
            version="v1beta1",
            schema=_service_schema(),
            columns=_SERVICE_COLUMNS,
            short_names=("isvc",),
            status=True,
        ),
        _make_crd(
            "ServingRuntime",
            version="v1alpha1",
            schema=_root_schema(structural_schema(ServingRuntime)),
            columns=_RUNTIME_COLUMNS,
        ),
        _make_crd(
            "ClusterServingRuntime",
            version="v1alpha1",
            schema=_root_schema(structural_schema(ClusterServingRuntime)),
            columns=_RUNTIME_COLUMNS,
            scope="Cluster",
        ),
    )
    return {crd["metadata"]["name"]: crd for crd in crds}


def write_crds(folder: Path) -> None:
    """Write one YAML file per CustomResourceDefinition into the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, crd in make_crds().items():
        (folder / f"{name}.yaml").write_text(render(crd), encoding="utf-8")


def render(crd: Object) -> str:
    """Return the YAML of one file."""
    return _HEADER + yaml.dump(crd, sort_keys=False, width=100, Dumper=_Dumper)


def _service_schema() -> Object:
    schema = _root_schema(structural_schema(InferenceService))
    predictor = schema["properties"]["spec"]["properties"]["predictor"]["properties"]
    for framework in FRAMEWORKS:
        # Typed where they are read; typed here too they would make up three quarters of the file.
        predictor[framework] = {
            **OPEN_SCHEMA,
            "description": f"The old style of model with modelFormat.name {framework}.",
        }
    schema["properties"]["status"] = {
        **structural_schema(InferenceServiceStatus),
        "x-kubernetes-preserve-unknown-fields": True,
    }
    return schema


def _root_schema(schema: Object) -> Object:
    """Leave to the API server what it checks itself: apiVersion, kind and metadata."""
    properties = schema["properties"]
    properties["apiVersion"] = {"type": "string"}
    properties["kind"] = {"type": "string"}
    properties["metadata"] = {"type": "object"}
    properties["status"] = dict(OPEN_SCHEMA)
    return {**schema, "required": ["spec"]}


def _make_crd(
    kind: str,
    *,
    version: str,
    schema: Object,
    columns: tuple[tuple[str, str, str], ...],
    short_names: tuple[str, ...] = (),
    scope: str = "Namespaced",
    status: bool = False,
) -> Object:
    plural = kind.lower() + "s"
    names: Object = {
        "kind": kind,
        "listKind": f"{kind}List",
        "plural": plural,
        "singular": kind.lower(),
        "categories": ["all", "kserve"],
    }
    if short_names:
        names["shortNames"] = list(short_names)
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "names": names,
            "scope": scope,
            "versions": [
                {
                    "name": version,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}} if status else {},
                    "additionalPrinterColumns": [
                        {"name": name, "type": type_, "jsonPath": path}
                        for name, type_, path in columns
                    ],
                    "schema": {"openAPIV3Schema": schema},
                }
            ],
        },
    }


class _Dumper(yaml.SafeDumper):
    """Writes every part out in full: an alias would tie the file to the order of its parts."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def main() -> None:
    """Write the definitions into the folder given as the only argument."""
    if len(sys.argv) != 2:
        sys.exit("usage: python -m rouse.api.crds FOLDER")
    write_crds(Path(sys.argv[1]))


if __name__ == "__main__":
    main()
