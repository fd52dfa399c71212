"""What the manifests say fits the code, the API's rules and the upstream schemas."""

from __future__ import annotations

import re
import shlex
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from rouse.cli.main import rouse
from rouse.compiler.config import Config
from rouse.controllers.inferenceservice.sources import Sources
from rouse.embedded.apiserver.memory import memory_api
from rouse.errors import ConfigError
from rouse.installer.authorizer import AuthorizerScope, option_of
from rouse.installer.kustomize import split_image
from rouse.installer.selection import (
    Selection,
    component_names,
    images_of,
    overlay_names,
    select,
)
from rouse.kube.client import KubeClient
from rouse.kube.resources import LEASES, RESOURCES
from rouse.manifests import manifests_dir

Object = dict[str, Any]

_SHARED = ("Certificate", "Gateway", "RequestAuthentication")

ROOT = Path(__file__).parents[3]
GOLDEN = ROOT / "tests" / "golden"
UPSTREAM = ROOT.parent / "shared" / "schemas"
NAMESPACE = "rouse-system"


@cache
def rendered(overlay: str = "production", *components: str) -> list[Object]:
    return select(Selection(overlay, components))


def one(objects: list[Object], kind: str, name: str) -> Object:
    (found,) = [obj for obj in objects if obj["kind"] == kind and obj["metadata"]["name"] == name]
    return found


def allowed(name: str) -> dict[tuple[str, str], set[str]]:
    """(group, resource) -> what the roles of a service account let it do."""
    found: dict[tuple[str, str], set[str]] = {}
    for obj in rendered():
        if obj["kind"] in ("ClusterRole", "Role") and obj["metadata"]["name"].startswith(name):
            for rule in obj["rules"]:
                for group in rule["apiGroups"]:
                    for resource in rule["resources"]:
                        found.setdefault((group, resource), set()).update(rule["verbs"])
    return found


async def test_the_controller_may_read_all_that_it_follows() -> None:
    may = allowed("rouse-controller")
    async with memory_api(manifests=False) as (_, http):
        for informer in Sources.of(KubeClient(http)).all():
            resource = informer.resource
            assert may[resource.group, resource.plural] >= {"get", "list", "watch"}, resource
    assert may[LEASES.group, LEASES.plural] >= {"get", "create", "update"}


def made_kinds() -> set[tuple[str, str]]:
    """The kinds of all objects that the compiler makes in the golden tests."""
    found = set()
    for path in GOLDEN.glob("*/wanted.yaml"):
        for obj in yaml.load_all(path.read_text(), Loader=yaml.CSafeLoader):
            if isinstance(obj, dict) and "apiVersion" in obj:
                found.add((obj["apiVersion"], obj["kind"]))
    return found


def test_the_controller_may_write_all_that_it_makes() -> None:
    may = allowed("rouse-controller")
    kinds = made_kinds()
    assert ("serving.knative.dev/v1", "Service") in kinds
    for api_version, kind in kinds:
        resource = RESOURCES.get((api_version, kind))
        if resource is None or resource.group == "serving.kserve.io":
            continue
        verbs = {"get", "create", "patch"}
        # What is shared nobody deletes.
        verbs |= set() if kind in _SHARED else {"delete"}
        assert may.get((resource.group, resource.plural), set()) >= verbs, resource


def test_no_rule_grants_everything() -> None:
    for obj in rendered("observability", "cert-manager"):
        for rule in obj.get("rules") or ():
            assert "*" not in [*rule["apiGroups"], *rule["resources"], *rule["verbs"]]
            assert (
                "secrets" not in rule["resources"]
                or "list" not in rule["verbs"]
                or rule.get("resourceNames")
            )


def test_only_the_authorizer_may_list_secrets_and_only_that() -> None:
    rules = {
        (obj["kind"], obj["metadata"].get("namespace", "")): obj["rules"]
        for obj in rendered("production", "api-keys")
        if obj["metadata"]["name"].startswith("rouse-authorizer") and "rules" in obj
    }
    read = ["list", "watch"]
    policies = {
        "apiGroups": ["security.istio.io"],
        "resources": ["authorizationpolicies"],
        "verbs": read,
    }
    assert rules == {
        ("ClusterRole", ""): [{"apiGroups": [""], "resources": ["secrets"], "verbs": read}],
        ("Role", "istio-system"): [policies],
    }


def test_the_authorizer_can_be_limited_to_namespaces() -> None:
    scope = AuthorizerScope(("a", "b", "a"), "gateways")
    objects = select(Selection("production", ("api-keys",), authorizer=scope))
    mine = [obj for obj in objects if obj["metadata"]["name"].startswith("rouse-authorizer")]
    places = {
        (obj["kind"], obj["metadata"]["namespace"])
        for obj in mine
        if obj["apiVersion"].startswith("rbac.")
    }
    kinds = ("Role", "RoleBinding")
    assert places == {(kind, where) for kind in kinds for where in ("a", "b", "gateways")}
    for obj in mine:
        if obj["kind"] == "RoleBinding":
            assert obj["roleRef"]["kind"] == "Role"
            (subject,) = obj["subjects"]
            assert (subject["name"], subject["namespace"]) == ("rouse-authorizer", NAMESPACE)
    deployment = one(mine, "Deployment", "rouse-authorizer")
    assert option_of(deployment, "--namespaces") == "a,b"
    assert option_of(deployment, "--gateway-namespace") == "gateways"
    # One line for a shell brings the same again.
    words = shlex.split(Selection("minimal", ("api-keys",), {"x": "y"}, scope).options)
    assert words[-4:] == ["--authorizer-namespaces", "a,b,a", "--gateway-namespace", "gateways"]


@pytest.mark.parametrize("gateway", ["istio-system", "gateways"])
def test_only_the_gateway_may_ask_the_authorizer(gateway: str) -> None:
    scope = AuthorizerScope(gateway_namespace=gateway)
    objects = select(Selection("production", ("api-keys",), authorizer=scope))
    chosen = {"matchLabels": {"app.kubernetes.io/name": "rouse-authorizer"}}
    rules = [
        rule
        for obj in objects
        if obj["kind"] == "NetworkPolicy" and obj["spec"]["podSelector"] in ({}, chosen)
        for rule in obj["spec"].get("ingress") or ()
        if any(port["port"] == 9090 for port in rule["ports"])
    ]
    peer = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": gateway}}}
    assert [rule["from"] for rule in rules] == [[peer]]


@pytest.mark.parametrize(
    ("selection", "said"),
    [
        (Selection(authorizer=AuthorizerScope(("a",))), "go with --component api-keys"),
        (
            Selection(components=("api-keys",), authorizer=AuthorizerScope(("A B",))),
            '"A B" cannot be the name of a namespace',
        ),
    ],
)
def test_what_cannot_be_limited_is_refused(selection: Selection, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        select(selection)


def test_every_rule_says_why() -> None:
    for path in sorted(manifests_dir().glob("**/rbac.yaml")):
        lines = path.read_text().splitlines()
        for number, line in enumerate(lines):
            if line.strip().startswith("- apiGroups:"):
                before = lines[number - 1].strip()
                # What a rule cannot be limited to is told with it, at the rule before.
                assert before.startswith(("#", "verbs:")), f"{path}:{number + 1}"


@pytest.mark.parametrize("overlay", overlay_names())
def test_pods_are_as_the_strictest_standard_wants_them(overlay: str) -> None:
    for obj in rendered(overlay, "cert-manager", "api-keys"):
        if obj["kind"] != "Deployment" or obj["metadata"]["namespace"] != NAMESPACE:
            continue
        pod = obj["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in pod["containers"]:
            context = container["securityContext"]
            assert context["allowPrivilegeEscalation"] is False
            assert context["readOnlyRootFilesystem"] is True
            assert context["capabilities"] == {"drop": ["ALL"]}
            # Both, so that a quota of the namespace takes them.
            assert container["resources"]["requests"].keys() == {"cpu", "memory"}
            assert container["resources"]["limits"].keys() == {"cpu", "memory"}
            assert {"livenessProbe", "readinessProbe"} <= container.keys()


def test_the_commands_of_the_containers_are_rouses() -> None:
    for components in ((), ("cert-manager",), ("api-keys",)):
        for obj in rendered("production", *components):
            if obj["kind"] != "Deployment":
                continue
            (container,) = obj["spec"]["template"]["spec"]["containers"]
            assert container["command"] == ["python", "-m", "rouse"]
            name, *options = container["args"]
            rouse.commands[name].make_context(name, [*options])
            ports = {each["name"]: each["containerPort"] for each in container["ports"]}
            assert f"--metrics-port={ports['metrics']}" in options
            assert f"--health-port={ports['health']}" in options


def test_webhooks_leave_the_systems_namespaces_alone() -> None:
    objects = rendered()
    for kind in ("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"):
        for hook in one(objects, kind, "rouse-webhook")["webhooks"]:
            if hook["name"] == "settings.rouse.dev":
                continue
            (excluded,) = hook["namespaceSelector"]["matchExpressions"]
            assert excluded["operator"] == "NotIn"
            assert excluded["values"] == ["kube-system", NAMESPACE]
            assert (hook["failurePolicy"], hook["sideEffects"]) == ("Fail", "None")
            assert "caBundle" not in hook["clientConfig"]


def test_only_the_settings_are_asked_about_there_and_nobody_is_locked_out() -> None:
    (hook,) = (
        each
        for each in one(rendered(), "ValidatingWebhookConfiguration", "rouse-webhook")["webhooks"]
        if each["name"] == "settings.rouse.dev"
    )
    assert (hook["failurePolicy"], hook["timeoutSeconds"]) == ("Ignore", 5)
    (rule,) = hook["rules"]
    assert (rule["resources"], rule["operations"]) == (["configmaps"], ["CREATE", "UPDATE"])
    (condition,) = hook["matchConditions"]
    for name in (NAMESPACE, "rouse-config", "kserve", "inferenceservice-config"):
        assert f"== '{name}'" in condition["expression"]


def test_webhooks_cover_every_kind() -> None:
    objects = rendered()
    defined = {
        (version["name"], obj["spec"]["names"]["plural"])
        for obj in objects
        if obj["kind"] == "CustomResourceDefinition"
        for version in obj["spec"]["versions"]
    }
    for kind in ("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"):
        hook = one(objects, kind, "rouse-webhook")["webhooks"][0]
        covered = {
            (version, resource)
            for rule in hook["rules"]
            for version in rule["apiVersions"]
            for resource in rule["resources"]
        }
        assert covered == defined


def test_the_settings_shown_are_the_defaults() -> None:
    text = (manifests_dir() / "base" / "config.yaml").read_text()
    shown = re.sub(r"^  # (\w+: )", r"  \1", text, flags=re.MULTILINE)
    data = yaml.safe_load(shown)["data"]
    assert Config.from_config_map({"data": data}) == Config()
    assert len(data) > 20


def test_the_settings_of_every_overlay_can_be_read() -> None:
    for overlay in overlay_names():
        Config.from_config_map(one(rendered(overlay), "ConfigMap", "rouse-config"))
    gpu = Config.from_config_map(one(rendered("gpu"), "ConfigMap", "rouse-config"))
    assert gpu.default_gpu_pool == "nvidia"


def test_every_file_of_the_folders_is_listed() -> None:
    for folder in ("crds", "runtimes"):
        listed = yaml.safe_load((manifests_dir() / folder / "Kustomization").read_text())
        there = sorted(path.name for path in (manifests_dir() / folder).glob("*.yaml"))
        assert sorted(listed["resources"]) == there


def test_images() -> None:
    objects = rendered()
    assert "ghcr.io/rouse/controller:v0.1.0" in images_of(objects)
    assert "ghcr.io/rouse/storage-initializer:v0.1.0" in images_of(objects)
    chosen = select(
        Selection(images={"controller": "a:1", "ghcr.io/rouse/storage-initializer": "b:2"})
    )
    images = images_of(chosen)
    assert {"a:1", "b:2"} <= set(images)
    assert not {"ghcr.io/rouse/controller", "ghcr.io/rouse/storage-initializer"} & {
        split_image(image)[0] for image in images
    }
    with pytest.raises(ConfigError, match="no image is named nothing"):
        select(Selection(images={"nothing": "a"}))


def test_what_is_not_there_is_told_with_what_is() -> None:
    with pytest.raises(ConfigError, match="minimal"):
        select(Selection("large"))
    with pytest.raises(ConfigError, match="cert-manager"):
        select(Selection(components=("tls",)))


@pytest.mark.parametrize("component", component_names())
def test_every_component_goes_on_the_smallest_overlay(component: str) -> None:
    there = ("istio", "knative")
    if component not in there:
        assert rendered("minimal", component)


def upstream() -> dict[tuple[str, str, str], Object]:
    found = {}
    for path in UPSTREAM.glob("*/*.yaml"):
        for crd in yaml.load_all(path.read_text(), Loader=yaml.CSafeLoader):
            for version in crd["spec"]["versions"]:
                key = crd["spec"]["group"], version["name"], crd["spec"]["names"]["kind"]
                found[key] = version["schema"]["openAPIV3Schema"]
    return found


@pytest.mark.skipif(not UPSTREAM.is_dir(), reason="the upstream schemas are not here")
def test_objects_of_others_kinds_fit_the_upstream_schemas() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    schemas = upstream()
    objects = {
        orjson.dumps(obj): obj
        for overlay in overlay_names()
        for obj in rendered(overlay)
        if obj["kind"] != "CustomResourceDefinition"
    }
    checked = set()
    for obj in objects.values():
        group, _, version = obj["apiVersion"].rpartition("/")
        schema = schemas.get((group, version, obj["kind"]))
        if schema is not None:
            jsonschema.Draft7Validator(schema).validate(obj)
            checked.add(obj["kind"])
    assert {"Gateway", "PeerAuthentication", "ClusterServingRuntime"} <= checked
