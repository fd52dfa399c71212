"""Manifest in, wanted objects and status out.

Each folder here is a case: ``input.yaml`` (an InferenceService, runtimes beside the built-in ones,
ClusterStorageContainers; or an InferenceGraph and InferenceServices with their status),
``observed.yaml`` where something was seen already (Knative Services, Revisions, Deployments, Pods,
a VirtualService, and the first object of the input with its last status), ``config.yaml`` where the
installation decides something (the data of ConfigMap rouse-config), ``wanted.yaml``. The words
WANTED-PREDICTOR, WANTED-CANARY, WANTED-TRANSFORMER, WANTED-EXPLAINER, WANTED-WORKER and
WANTED-ROUTER in ``observed.yaml`` stand for the hashes of the templates that the input compiles to;
WANTED-TEMPLATE is the predictor's.

``ROUSE_REFRESH_GOLDEN=1`` writes wanted.yaml anew; read the difference before you keep it.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import orjson
import pytest
import yaml

from rouse.compiler import Compiled, Config, Observed, RuntimeSet, compile_object
from rouse.compiler.graph import compile_graph_object
from rouse.compiler.names import TEMPLATE_HASH
from rouse.embedded.apiserver.schema import schema_for_builtin

Object = dict[str, Any]

HERE = Path(__file__).parent
CASES = sorted(folder.name for folder in HERE.iterdir() if (folder / "input.yaml").exists())
RUNTIMES = HERE.parents[1] / "manifests" / "runtimes"
SCHEMAS = HERE.parents[2] / "shared" / "schemas"
UPSTREAM_GROUPS = ("networking.istio.io", "security.istio.io", "serving.knative.dev")
SERVICE, GRAPH = "InferenceService", "InferenceGraph"
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def documents(path: Path, **words: str) -> list[Object]:
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    for word, meaning in words.items():
        text = text.replace(word.replace("_", "-"), meaning)
    return [each for each in yaml.load_all(text, Loader=yaml.CSafeLoader) if each]


@cache
def built_in() -> list[Object]:
    return [each for file in sorted(RUNTIMES.glob("*.yaml")) for each in documents(file)]


@cache
def compile_case(case: str) -> Compiled:
    folder = HERE / case
    first, *others = documents(folder / "input.yaml")
    services = {each["metadata"]["name"]: each for each in others if each["kind"] == SERVICE}
    fetching = [each for each in others if each["kind"] == "ClusterStorageContainer"]
    own_runtimes = [each for each in others if each not in fetching and each["kind"] != SERVICE]
    runtimes = RuntimeSet.of([*built_in(), *own_runtimes])
    assert not runtimes.invalid

    data = next(iter(documents(folder / "config.yaml")), {})
    config = Config.from_config_map({"data": data})

    def compiled(observed: Observed) -> Compiled:
        if first["kind"] == GRAPH:
            return compile_graph_object(
                first, services=services, config=config, observed=observed, now=NOW
            )
        return compile_object(
            first,
            runtimes=runtimes,
            storage_containers=fetching,
            config=config,
            observed=observed,
            now=NOW,
        )

    words: dict[str, str] = {}
    for obj in compiled(Observed()).objects:
        if obj["apiVersion"] in ("serving.knative.dev/v1", "apps/v1"):
            component = obj["metadata"]["labels"]["component"].upper()
            if obj["metadata"]["name"].endswith("-worker"):
                component = "WORKER"
            hashed = obj if obj["kind"] == "Deployment" else obj["spec"]["template"]
            word = f"WANTED_{component}"
            # A predictor's canaries come after it: the word stands for the first of them.
            words.setdefault(
                "WANTED_CANARY" if word in words else word,
                hashed["metadata"]["annotations"][TEMPLATE_HASH],
            )
    words["WANTED_TEMPLATE"] = words.get("WANTED_PREDICTOR", "")
    return compiled(observe(documents(folder / "observed.yaml", **words)))


def observe(objects: list[Object]) -> Observed:
    def named(kind: str) -> dict[str, Object]:
        return {obj["metadata"]["name"]: obj for obj in objects if obj["kind"] == kind}

    return Observed(
        knative_services=named("Service"),
        revisions=named("Revision"),
        deployments=named("Deployment"),
        pods=[obj for obj in objects if obj["kind"] == "Pod"],
        virtual_service=next(iter(named("VirtualService").values()), None),
        previous_status=next(
            (each["status"] for kind in (SERVICE, GRAPH) for each in named(kind).values()), {}
        ),
    )


def shown(compiled: Compiled) -> str:
    about = {
        "prune": compiled.prune,
        "events": [f"{event.type} {event.reason}: {event.message}" for event in compiled.events],
        "status": compiled.status,
    }
    # Through JSON: a date or a tuple that slipped in would fail here, and aliases go.
    whole = orjson.loads(orjson.dumps([about, *compiled.objects]))
    return yaml.safe_dump_all(whole, sort_keys=True, width=100, allow_unicode=True)


@pytest.mark.parametrize("case", CASES)
def test_the_wanted_objects(case: str) -> None:
    got = shown(compile_case(case))
    file = HERE / case / "wanted.yaml"
    if os.environ.get("ROUSE_REFRESH_GOLDEN") == "1":
        file.write_text(got, encoding="utf-8")
    assert got == file.read_text(encoding="utf-8")


@pytest.mark.parametrize("case", CASES)
def test_the_wanted_objects_fit_the_schemas_of_knative_and_istio(case: str) -> None:
    if not SCHEMAS.is_dir():
        pytest.skip("the upstream schemas are not at ../shared/schemas")
    for obj in compile_case(case).objects:
        if obj["apiVersion"].partition("/")[0] in UPSTREAM_GROUPS:
            jsonschema.validate(obj, upstream_schema(obj["kind"]))


@pytest.mark.parametrize("case", CASES)
def test_the_wanted_objects_fit_the_schemas_of_kubernetes(case: str) -> None:
    for obj in compile_case(case).objects:
        group = obj["apiVersion"].rpartition("/")[0]
        if group in ("", "apps", "autoscaling"):
            assert schema_for_builtin(group, obj["kind"]).validate(obj) == []


@cache
def upstream_schema(kind: str) -> Object:
    file = {
        "AuthorizationPolicy": "istio/authorizationpolicies.security.istio.io.yaml",
        "Gateway": "istio/gateways.networking.istio.io.yaml",
        "RequestAuthentication": "istio/requestauthentications.security.istio.io.yaml",
        "Service": "knative/services.serving.knative.dev.yaml",
        "VirtualService": "istio/virtualservices.networking.istio.io.yaml",
    }[kind]
    definition = yaml.load((SCHEMAS / file).read_text("utf-8"), Loader=yaml.CSafeLoader)
    schema = closed(definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"])
    schema["properties"] |= {"apiVersion": {}, "kind": {}, "metadata": {}}
    result: Object = schema
    return result


def closed(schema: Any) -> Any:
    """Make a structural schema refuse unknown fields, as kubectl does with strict validation."""
    if isinstance(schema, list):
        return [closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    copied = {key: closed(value) for key, value in schema.items()}
    open_ = schema.get("x-kubernetes-preserve-unknown-fields")
    if schema.get("type") == "object" and "properties" in schema and not open_:
        copied.setdefault("additionalProperties", False)
    return copied
