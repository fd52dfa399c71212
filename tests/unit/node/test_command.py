"""Containers -> command lines: expansion, ports, paths, environment."""

from __future__ import annotations

from typing import Any

import pytest

from rouse.embedded.node.command import (
    Invocation,
    base_environment,
    expand,
    make_invocation,
    rewrite_port,
    with_proxy,
)
from rouse.embedded.node.errors import PodSetupError
from rouse.embedded.node.images import LocalCommand
from rouse.embedded.node.sources import Sources

POD: dict[str, Any] = {
    "metadata": {
        "name": "iris-1",
        "namespace": "default",
        "uid": "u1",
        "labels": {"app": "iris"},
        "annotations": {"a/b": "c"},
    },
    "spec": {"nodeName": "rouse-local", "containers": []},
}
SOURCES = Sources(
    {
        ("ConfigMap", "settings"): {"level": b"debug", "bad": b"\xff"},
        ("Secret", "keys"): {"token": b"s3cr3t"},
        ("Secret", "gone"): None,
    }
)


def invoke(container: dict[str, Any], **changes: Any) -> Invocation:
    given: dict[str, Any] = {
        "local": LocalCommand(("python", "-m", "server"), warm=True, listen=True),
        "mounts": {"/mnt/models": "/home/models", "/mnt/models/lora": "/home/lora"},
        "ports": {8080: 40001, 9000: 40002},
        "sources": SOURCES,
        "base": {"PATH": "/bin"},
        "cwd": "/scratch",
    }
    return make_invocation(POD, {"name": "c", **container}, **(given | changes))


def test_a_predictor() -> None:
    invocation = invoke(
        {
            "args": ["--model_name=iris", "--model_dir=/mnt/models", "--http_port=8080"],
            "ports": [{"containerPort": 8080}],
        }
    )
    assert invocation.argv == (
        *("python", "-m", "server"),
        *("--model_name=iris", "--model_dir=/home/models", "--http_port=40001"),
    )
    assert invocation.env == {"PATH": "/bin", "HOSTNAME": "iris-1", "PORT": "40001"}
    assert invocation.cwd == "/scratch"
    assert (invocation.warm, invocation.listen) == (True, True)


@pytest.mark.parametrize(
    ("word", "wanted"),
    [
        ("8080", "40001"),
        ("--port=8080", "--port=40001"),
        ("0.0.0.0:8080", "0.0.0.0:40001"),
        ("--bind=0.0.0.0:9000", "--bind=0.0.0.0:40002"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:40001"),
        ("--port=18080", "--port=18080"),
        ("80801", "80801"),
        ("--threads=4", "--threads=4"),
        ("model-8080", "model-8080"),
        ("", ""),
        ("=", "="),
        ("٨٠٨٠", "٨٠٨٠"),
    ],
)
def test_ports(word: str, wanted: str) -> None:
    assert rewrite_port(word, {8080: 40001, 9000: 40002}) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("/mnt/models", "/home/models"),
        ("/mnt/models/", "/home/models/"),
        ("--dir=/mnt/models/a.joblib", "--dir=/home/models/a.joblib"),
        ("file:///mnt/models/a", "file:///home/models/a"),
        ("/a:/mnt/models:/b", "/a:/home/models:/b"),
        ("/mnt/models/lora/x", "/home/lora/x"),
        ("/mnt/models2", "/mnt/models2"),
        ("/mnt/models-old", "/mnt/models-old"),
        ("/data/mnt/models", "/data/mnt/models"),
        ('{"path": "/mnt/models"}', '{"path": "/home/models"}'),
    ],
)
def test_paths(text: str, wanted: str) -> None:
    invocation = invoke({"args": [text], "env": [{"name": "WHERE", "value": text}]})
    assert invocation.args == (wanted,)
    assert invocation.env["WHERE"] == wanted


def test_expansion() -> None:
    env = {"A": "1", "B_C": "two"}
    assert expand("$(A)-$(B_C)-$(NONE)-$$(A)-$A-$(", env) == "1-two-$(NONE)-$(A)-$A-$("
    container = {
        "args": ["--x=$(X)"],
        "env": [{"name": "W", "value": "w"}, {"name": "X", "value": "$(W)$(Y)"}],
    }
    assert invoke(container).args == ("--x=w$(Y)",)


def test_environment_from_everywhere() -> None:
    def ref(kind: str, **given: Any) -> dict[str, Any]:
        return {"valueFrom": {kind: given}}

    env = [
        {"name": "NAME", **ref("fieldRef", fieldPath="metadata.name")},
        {"name": "APP", **ref("fieldRef", fieldPath="metadata.labels['app']")},
        {"name": "NOTE", **ref("fieldRef", fieldPath="metadata.annotations['a/b']")},
        {"name": "IP", **ref("fieldRef", fieldPath="status.podIP")},
        {"name": "LEVEL", **ref("configMapKeyRef", name="settings", key="level")},
        {"name": "TOKEN", **ref("secretKeyRef", name="keys", key="token")},
        {"name": "NONE", **ref("secretKeyRef", name="gone", key="x", optional=True)},
        {"name": "HTTP_PORT", "value": "8080"},
        {"name": "WORKERS", "value": "8080"},
    ]
    given = {"env": env, "envFrom": [{"prefix": "K_", "secretRef": {"name": "keys"}}]}
    found = invoke(given)
    assert found.env == {
        "PATH": "/bin",
        "HOSTNAME": "iris-1",
        "K_token": "s3cr3t",
        "NAME": "iris-1",
        "APP": "iris",
        "NOTE": "c",
        "IP": "127.0.0.1",
        "LEVEL": "debug",
        "TOKEN": "s3cr3t",
        "HTTP_PORT": "40001",
        "WORKERS": "8080",
    }
    assert "s3cr3t" not in repr(found)
    assert "s3cr3t" not in repr(SOURCES)


@pytest.mark.parametrize(
    ("origin", "message"),
    [
        ({"secretKeyRef": {"name": "gone", "key": "k"}}, 'Secret "gone" not found'),
        ({"secretKeyRef": {"name": "keys", "key": "k"}}, 'key "k" not found in Secret "keys"'),
        ({"configMapKeyRef": {"name": "settings", "key": "bad"}}, "the value is not text"),
        ({"fieldRef": {"fieldPath": "spec.tolerations"}}, "is not a field of a pod"),
        ({"resourceFieldRef": {"resource": "limits.cpu"}}, "resourceFieldRef is not supported"),
    ],
)
def test_what_does_not_resolve(origin: dict[str, Any], message: str) -> None:
    with pytest.raises(PodSetupError, match=message) as raised:
        invoke({"env": [{"name": "X", "valueFrom": origin}]})
    assert raised.value.reason == "CreateContainerConfigError"


def test_a_containers_own_command_replaces_the_images() -> None:
    own = {"command": ["run", "--port=8080"], "args": ["x"], "workingDir": "/mnt/models"}
    assert invoke(own).argv == ("run", "--port=40001", "x")
    assert invoke(own).cwd == "/home/models"
    explicit = LocalCommand(("local",), overrides=True)
    assert invoke(own, local=explicit).argv == ("local", "x")


def test_only_harmless_parts_of_the_environment_pass() -> None:
    given = {"PATH": "/bin", "AWS_SECRET_ACCESS_KEY": "x", "KUBECONFIG": "y", "LANG": "C"}
    assert base_environment(given) == {"PATH": "/bin", "LANG": "C"}


def test_the_proxy_spares_this_machines_hosts_and_keeps_inherited_exceptions() -> None:
    inherited = {"http_proxy": "http://corp:3128", "no_proxy": "corp.example,.svc,.cluster.local"}
    env = with_proxy(inherited, "http://127.0.0.1:7")
    assert env["http_proxy"] == env["HTTP_PROXY"] == "http://127.0.0.1:7"
    assert env["no_proxy"] == env["NO_PROXY"] == "localhost,127.0.0.1,::1,corp.example"
