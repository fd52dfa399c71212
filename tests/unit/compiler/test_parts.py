"""Names, placeholders, merging, cold starts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rouse.api.names import is_dns_label
from rouse.compiler.errors import CompileError
from rouse.compiler.merge import merge_container, merge_pod
from rouse.compiler.names import component_name
from rouse.compiler.placeholders import Values, fill

names = st.from_regex(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?", fullmatch=True)


@given(names)
def test_every_name_made_from_a_service_is_a_dns_label(name: str) -> None:
    predictor = component_name(name, "predictor")
    for made in (predictor, f"{predictor}-00001-deployment", f"latest-{predictor}"):
        assert is_dns_label(made)


@given(names, names)
def test_different_services_have_different_names(one: str, other: str) -> None:
    same = component_name(one, "predictor") == component_name(other, "predictor")
    assert same == (one == other)


def test_a_short_name_is_kserves() -> None:
    assert component_name("i" * 36, "predictor") == "i" * 36 + "-predictor"
    assert component_name("i" * 37, "predictor") != "i" * 37 + "-predictor"


VALUES: Values = {"Name": "iris", "Namespace": "ns", "Labels": {"team": "red", "a.b/c": "d"}}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("--model_name={{.Name}}", "--model_name=iris"),
        ("{{ .Name }}.{{- .Namespace -}}", "iris.ns"),
        ("{{.Labels.team}}{{.Labels.none}}", "red"),
        ('{{ index .Labels "a.b/c" }}', "d"),
        ("{python} {} $(X)", "{python} {} $(X)"),
    ],
)
def test_placeholders_are_filled(text: str, wanted: str) -> None:
    assert fill({"args": [text, 1]}, VALUES, "r") == {"args": [wanted, 1]}


@pytest.mark.parametrize("text", ["{{.Nam}}", "{{.Labels}}", "{{.Name.x}}", "{{ if .Name }}", "{{"])
def test_a_placeholder_that_means_nothing_is_refused(text: str) -> None:
    with pytest.raises(CompileError, match=r"the runtime r has the unknown placeholder"):
        fill(text, VALUES, "the runtime r")


def test_a_container_is_laid_over_another() -> None:
    base = {
        "name": "c",
        "image": "a",
        "args": ["--x"],
        "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
        "ports": [{"containerPort": 8080}],
        "resources": {"limits": {"cpu": "1", "memory": "1Gi"}},
        "readinessProbe": {"httpGet": {"path": "/", "port": 1}, "periodSeconds": 3},
        "livenessProbe": {"httpGet": {"path": "/", "port": 1}},
    }
    over = {
        "args": ["--y"],
        "env": [{"name": "B", "valueFrom": {}}, {"name": "C"}],
        "ports": [{"containerPort": 9000}],
        "resources": {"limits": {"cpu": "2"}, "requests": {"cpu": "1"}},
        "readinessProbe": {"tcpSocket": {"port": 2}},
        "livenessProbe": {"httpGet": {"path": "/live"}},
    }
    before = repr((base, over))
    assert merge_container(base, over) == {
        "name": "c",
        "image": "a",
        "args": ["--x", "--y"],
        "env": [{"name": "A", "value": "1"}, {"name": "B", "valueFrom": {}}, {"name": "C"}],
        "ports": [{"containerPort": 9000}],
        "resources": {"limits": {"cpu": "2", "memory": "1Gi"}, "requests": {"cpu": "1"}},
        "readinessProbe": {"tcpSocket": {"port": 2}, "periodSeconds": 3},
        "livenessProbe": {"httpGet": {"path": "/live", "port": 1}},
    }
    assert repr((base, over)) == before


def test_pods_merge_containers_by_name() -> None:
    base = {"containers": [{"name": "a", "image": "x"}, {"name": "b"}], "tolerations": [1]}
    over = {"containers": [{"name": "c"}, {"name": "a", "image": "y"}], "tolerations": [2]}
    assert merge_pod(base, over) == {
        "containers": [{"name": "a", "image": "y"}, {"name": "b"}, {"name": "c"}],
        "tolerations": [2],
    }
