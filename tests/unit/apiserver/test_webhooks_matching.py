"""Which webhooks are asked about what, and in which version."""

from __future__ import annotations

from typing import Any

import pytest

from rouse.embedded.apiserver.resources import Resource
from rouse.embedded.apiserver.webhooks.configurations import GROUP, Hook, Rule
from rouse.embedded.apiserver.webhooks.matching import Question, selects, version_for

Object = dict[str, Any]

PODS = Resource("", ("v1",), "Pod", "pods")
SCALERS = Resource("autoscaling", ("v2", "v1"), "Scaler", "scalers")
NODES = Resource("", ("v1",), "Node", "nodes", namespaced=False)
SPACES = Resource("", ("v1",), "Namespace", "namespaces", namespaced=False)
OWN = Resource(GROUP, ("v1",), "ValidatingWebhookConfiguration", "validatingwebhookconfigurations")


def rule(**changes: Any) -> Rule:
    said: Object = {
        "operations": frozenset({"CREATE"}),
        "groups": frozenset({""}),
        "versions": frozenset({"v1"}),
        "resources": ("pods",),
        **changes,
    }
    return Rule(**said)


EVERYTHING = rule(
    operations=frozenset({"*"}),
    groups=frozenset({"*"}),
    versions=frozenset({"*"}),
    resources=("*/*",),
)


def hook(*rules: Rule, **changes: Any) -> Hook:
    return Hook("a", "https://a", "", mutating=False, rules=rules, **changes)


def question(resource: Resource = PODS, **changes: Any) -> Question:
    obj = {"metadata": {"name": "a", "labels": changes.pop("labels", {})}}
    said: Object = {"operation": "CREATE", "version": resource.versions[0], "name": "a", "obj": obj}
    return Question(resource=resource, **{**said, **changes})


@pytest.mark.parametrize(
    ("asked", "by", "version"),
    [
        (question(), rule(), "v1"),
        (question(operation="DELETE"), rule(), None),
        (question(operation="DELETE"), EVERYTHING, "v1"),
        (question(NODES), rule(), None),
        (question(NODES), rule(resources=("*",)), "v1"),
        (question(NODES), rule(resources=("*",), scope="Namespaced"), None),
        (question(), rule(scope="Namespaced"), "v1"),
        (question(), rule(scope="Cluster"), None),
        (question(subresource="status"), rule(), None),
        (question(subresource="status"), rule(resources=("*",)), None),
        (question(subresource="status"), rule(resources=("pods/status",)), "v1"),
        (question(subresource="status"), rule(resources=("pods/*",)), "v1"),
        (question(), rule(resources=("pods/status",)), None),
        (question(SCALERS), rule(groups=frozenset({"autoscaling"})), None),
        (question(OWN), EVERYTHING, None),
    ],
)
def test_rules(asked: Question, by: Rule, version: str | None) -> None:
    assert version_for(hook(by), asked) == version


@pytest.mark.parametrize(("equivalent", "version"), [(True, "v1"), (False, None)])
def test_another_version_of_the_same_resource(equivalent: bool, version: str | None) -> None:
    scalers = rule(groups=frozenset({"autoscaling"}), resources=("scalers",))
    asked = question(SCALERS, version="v2")
    assert version_for(hook(scalers, equivalent=equivalent), asked) == version


def test_selectors_look_at_old_and_new_labels_and_at_the_namespace() -> None:
    chosen = {"matchLabels": {"team": "a"}}
    by_objects, by_namespaces = hook(rule(), objects=chosen), hook(rule(), namespaces=chosen)
    assert version_for(by_objects, question()) is None
    assert version_for(by_objects, question(labels={"team": "a"})) == "v1"
    before = {"metadata": {"labels": {"team": "a"}}}
    assert version_for(by_objects, question(old=before)) == "v1"
    assert version_for(by_namespaces, question()) is None
    assert version_for(by_namespaces, question(namespace_labels={"team": "a"})) == "v1"
    # What is in no namespace is in none that is left out.
    everything = hook(EVERYTHING, namespaces=chosen)
    assert version_for(everything, question(NODES)) == "v1"
    assert version_for(everything, question(SPACES)) is None


@pytest.mark.parametrize(
    ("operator", "values", "labels", "found"),
    [
        ("In", ["a"], {"k": "a"}, True),
        ("In", ["a"], {}, False),
        ("NotIn", ["a"], {}, True),
        ("NotIn", ["a"], {"k": "a"}, False),
        ("Exists", [], {"k": ""}, True),
        ("DoesNotExist", [], {"k": ""}, False),
        ("Near", [], {"k": ""}, False),
    ],
)
def test_expressions(operator: str, values: list[str], labels: Object, found: bool) -> None:
    expression = {"key": "k", "operator": operator, "values": values}
    assert selects({"matchExpressions": [expression]}, labels) is found
