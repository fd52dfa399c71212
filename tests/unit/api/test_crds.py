"""The definitions in manifests/crds are those of the types, and a cluster would take them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from rouse.api.base import Model
from rouse.api.crds import make_crds, render
from rouse.api.descriptions import DESCRIPTIONS

Object = dict[str, Any]

FOLDER = Path(__file__).parents[3] / "manifests" / "crds"
UPSTREAM = Path(__file__).parents[4] / "shared" / "schemas" / "kserve"
CRDS = make_crds()


def schemas(schema: Object, path: str = "") -> Iterator[tuple[str, Object]]:
    yield path, schema
    for name, each in schema.get("properties", {}).items():
        yield from schemas(each, f"{path}.{name}")
    for inner in ("items", "additionalProperties"):
        if isinstance(schema.get(inner), dict):
            yield from schemas(schema[inner], f"{path}[]")


def root_of(crd: Object) -> Object:
    root: Object = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return root


@pytest.mark.parametrize("name", CRDS)
def test_the_files_are_those_of_the_types(name: str) -> None:
    written = (FOLDER / f"{name}.yaml").read_text(encoding="utf-8")
    assert written == render(CRDS[name]), "run `python -m rouse.api.crds manifests/crds`"


def test_there_are_no_other_files() -> None:
    assert {path.stem for path in FOLDER.glob("*.yaml")} == set(CRDS)


@pytest.mark.parametrize("name", CRDS)
def test_the_schemas_are_structural(name: str) -> None:
    for path, schema in schemas(root_of(CRDS[name])):
        assert not schema.keys() & {"$ref", "$defs", "title", "allOf", "oneOf", "const"}, path
        if schema.get("x-kubernetes-int-or-string"):
            assert "type" not in schema, path
        else:
            assert isinstance(schema.get("type"), str), path
            assert "anyOf" not in schema, path
        assert not ("properties" in schema and "additionalProperties" in schema), path
        if schema["type"] == "array" if "type" in schema else False:
            assert "items" in schema, path


@pytest.mark.parametrize("name", CRDS)
def test_the_keys_of_a_list_are_always_there(name: str) -> None:
    """The API server refuses a definition whose list keys are neither required nor defaulted."""
    for path, schema in schemas(root_of(CRDS[name])):
        for key in schema.get("x-kubernetes-list-map-keys", ()):
            item = schema["items"]
            required = key in item.get("required", ())
            assert required or "default" in item["properties"][key], f"{path}: {key}"


def test_containers_and_variables_merge_by_name() -> None:
    spec = root_of(CRDS["inferenceservices.serving.kserve.io"])["properties"]["spec"]
    predictor = spec["properties"]["predictor"]["properties"]
    for by_name in (predictor["containers"], predictor["model"]["properties"]["env"]):
        assert by_name["x-kubernetes-list-map-keys"] == ["name"]


def test_fields_are_described_by_the_docstrings_under_them() -> None:
    spec = root_of(CRDS["inferenceservices.serving.kserve.io"])["properties"]["spec"]
    predictor = spec["properties"]["predictor"]["properties"]
    assert predictor["minReplicas"]["description"].startswith("Replicas at least")
    assert predictor["canaryTrafficPercent"]["maximum"] == 100


@pytest.mark.parametrize("name", CRDS)
def test_every_field_is_described(name: str) -> None:
    bare = [
        f"{path}.{field}"
        for path, schema in schemas(root_of(CRDS[name]))
        for field, each in schema.get("properties", {}).items()
        if not each.get("description") and (path, field) != ("", "metadata")
    ]
    assert bare == [], "write a docstring under the field, or a line in rouse.api.descriptions"


def test_descriptions_are_those_of_fields_that_are_there() -> None:
    types = {model.__name__: model for model in _subclasses(Model)}
    for name, fields in DESCRIPTIONS.items():
        known = {field.alias for field in types[name].model_fields.values()}
        assert fields.keys() <= known, name


def test_no_two_types_have_the_same_name() -> None:
    """Descriptions are found by it."""
    names = [model.__name__ for model in _subclasses(Model) if model.__module__[:5] == "rouse"]
    assert len(names) == len(set(names))


def _subclasses(model: type[Model]) -> Iterator[type[Model]]:
    for each in model.__subclasses__():
        yield each
        yield from _subclasses(each)


@pytest.mark.parametrize("name", CRDS)
def test_kubectl_apply_takes_the_definition(name: str) -> None:
    """It writes the whole object into an annotation, which may have 256 KiB."""
    assert len(json.dumps(CRDS[name])) < 250_000


@pytest.mark.parametrize("name", CRDS)
def test_no_field_of_kserve_is_missing(name: str) -> None:
    file = UPSTREAM / f"{name}.yaml"
    if not file.exists():
        pytest.skip("the upstream schemas are not at ../shared/schemas")
    upstream = yaml.load(file.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    missing = sorted(_missing(root_of(upstream), root_of(CRDS[name])))
    assert missing == []
    ours, theirs = (crd["spec"]["versions"][0] for crd in (CRDS[name], upstream))
    assert ours.get("additionalPrinterColumns") == theirs.get("additionalPrinterColumns")
    assert ours["subresources"] == theirs.get("subresources", {})
    for key in ("scope", "group"):
        assert CRDS[name]["spec"][key] == upstream["spec"][key]
    for key in ("kind", "listKind", "plural", "singular", "shortNames"):
        assert CRDS[name]["spec"]["names"].get(key) == upstream["spec"]["names"].get(key)


def _missing(theirs: Object, ours: Object, path: str = "") -> Iterator[str]:
    if ours.get("x-kubernetes-preserve-unknown-fields") and "properties" not in ours:
        return
    for name, schema in theirs.get("properties", {}).items():
        if name not in ours.get("properties", {}):
            if not ours.get("x-kubernetes-preserve-unknown-fields"):
                yield f"{path}.{name}"
        else:
            yield from _missing(schema, ours["properties"][name], f"{path}.{name}")
    if isinstance(theirs.get("items"), dict):
        yield from _missing(theirs["items"], ours.get("items", {}), f"{path}[]")
