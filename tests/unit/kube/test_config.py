"""Kubeconfig files and the service account of a Pod."""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from rouse.errors import ConfigError
from rouse.kube.config import ClusterConfig, in_cluster, load_kubeconfig

PEM = "-----BEGIN CERTIFICATE-----\nYQ==\n-----END CERTIFICATE-----\n"
PEM64 = base64.b64encode(PEM.encode()).decode()


def write(
    path: Path,
    *,
    cluster: dict[str, Any] | None = None,
    user: dict[str, Any] | None = None,
    **top: Any,
) -> Path:
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "main",
        "contexts": [
            {"name": "main", "context": {"cluster": "c", "user": "u", "namespace": "team"}}
        ],
        "clusters": [{"name": "c", "cluster": cluster or {"server": "https://k:6443/"}}],
        "users": [{"name": "u", "user": user or {}}],
        **top,
    }
    path.write_text(yaml.safe_dump(document))
    return path


def test_inline_data(tmp_path: Path) -> None:
    path = write(
        tmp_path / "config",
        cluster={
            "server": "https://k:6443/",
            "certificate-authority-data": PEM64,
            "tls-server-name": "kubernetes",
            "proxy-url": "http://proxy:1",
        },
        user={"token": "t", "client-certificate-data": PEM64, "client-key-data": PEM64},
    )
    assert load_kubeconfig(path) == ClusterConfig(
        server="https://k:6443",
        namespace="team",
        ca=PEM,
        tls_server_name="kubernetes",
        proxy="http://proxy:1",
        token="t",
        client_certificate=PEM,
        client_key=PEM,
    )


def test_files_are_next_to_the_kubeconfig_and_win_over_an_inline_token(tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_text(PEM)
    path = write(
        tmp_path / "config",
        cluster={"server": "https://k", "certificate-authority": "ca.crt"},
        user={"token": "stale", "tokenFile": "token"},
    )
    config = load_kubeconfig(path)
    assert (config.ca, config.token, config.token_file) == (PEM, "", tmp_path / "token")


def test_exec(tmp_path: Path) -> None:
    exec_ = {
        "apiVersion": "client.authentication.k8s.io/v1beta1",
        "command": "./login",
        "args": ["--now"],
        "env": [{"name": "A", "value": "1"}],
        "installHint": "install it",
        "provideClusterInfo": True,
    }
    plugin = load_kubeconfig(write(tmp_path / "config", user={"exec": exec_})).exec_plugin
    assert plugin is not None
    assert plugin.command == str(tmp_path / "login")
    assert (plugin.args, plugin.env, plugin.provide_cluster_info) == (("--now",), {"A": "1"}, True)
    exec_["command"] = "login"
    plugin = load_kubeconfig(write(tmp_path / "config", user={"exec": exec_})).exec_plugin
    assert plugin is not None
    assert plugin.command == "login"


def test_several_files_merge_and_the_first_to_name_an_entry_wins(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    write(one, users=[], contexts=[])
    write(two, cluster={"server": "https://other"}, user={"token": "t"})
    environ = {"KUBECONFIG": f"{one}{os.pathsep}{tmp_path / 'absent'}{os.pathsep}{two}"}
    config = load_kubeconfig(environ=environ)
    assert (config.server, config.token) == ("https://k:6443", "t")


def test_another_context(tmp_path: Path) -> None:
    path = write(tmp_path / "config", contexts=[{"name": "bare", "context": {"cluster": "c"}}])
    config = load_kubeconfig(path, context="bare")
    assert (config.namespace, config.token) == ("default", "")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"current-context": None}, "no current-context"),
        ({"current-context": "other"}, "no context 'other'; there are: main"),
        ({"clusters": []}, "no cluster 'c'; there are: none"),
        ({"users": []}, "no user 'u'"),
        ({"users": [{"user": {}}]}, "an entry of users has no name"),
        ({"users": [{"name": "u", "user": []}, "x"]}, "an entry of users has no name"),
        ({"users": [{"name": "u", "user": "text"}]}, "user 'u': must be a mapping"),
        ({"cluster": {"server": "k:6443"}}, "server must be an http"),
        (
            {"cluster": {"server": "https://k", "certificate-authority-data": "%"}},
            "certificate-authority-data is not base64",
        ),
        (
            {"cluster": {"server": "https://k", "certificate-authority": "absent.crt"}},
            "absent.crt: cannot be read",
        ),
        ({"user": {"exec": {"args": ["x"]}}}, "exec has no command"),
        ({"user": {"auth-provider": {}}}, "auth-provider was removed"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    path = write(tmp_path / "config", **change)
    with pytest.raises(ConfigError) as caught:
        load_kubeconfig(path)
    assert message in str(caught.value)
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize("text", ["{", "[]", "just text"])
def test_no_kubeconfig_at_all(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config"
    path.write_text(text)
    with pytest.raises(ConfigError, match="not a kubeconfig"):
        load_kubeconfig(path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    for arguments in ({"path": tmp_path / "x"}, {"environ": {"KUBECONFIG": f"{tmp_path}/x"}}):
        with pytest.raises(ConfigError, match="x: cannot be read"):
            load_kubeconfig(**arguments)


def test_inside_a_pod(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("t")
    (tmp_path / "ca.crt").write_text(PEM)
    (tmp_path / "namespace").write_text("rouse-system\n")
    environ = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443"}
    expected = ClusterConfig(
        server="https://10.0.0.1:443",
        namespace="rouse-system",
        ca=PEM,
        token_file=tmp_path / "token",
    )
    assert load_kubeconfig(environ=environ, service_account=tmp_path) == expected
    environ["KUBERNETES_SERVICE_HOST"] = "fd00::1"
    config = in_cluster(environ=environ, service_account=tmp_path)
    assert config.server == "https://[fd00::1]:443"
    with pytest.raises(ConfigError, match="not inside a cluster"):
        in_cluster(environ={})


def test_the_home_folder_comes_last_and_nothing_at_all_says_what_to_do(tmp_path: Path) -> None:
    environ = {"HOME": str(tmp_path)}
    with pytest.raises(ConfigError, match="rouse up"):
        load_kubeconfig(environ=environ, service_account=tmp_path)
    (tmp_path / ".kube").mkdir()
    write(tmp_path / ".kube" / "config")
    assert load_kubeconfig(environ=environ).namespace == "team"


def test_secrets_are_not_printed() -> None:
    config = ClusterConfig("https://k", token="s3cret", password="s3cret", client_key="s3cret")
    assert "s3cret" not in repr(config)
