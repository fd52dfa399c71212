"""Volumes as folders."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from rouse.embedded.node.errors import PodSetupError
from rouse.embedded.node.paths import NodePaths
from rouse.embedded.node.sources import Sources, fetch, references
from rouse.embedded.node.volumes import by_uri, mounts_of, prepare_volumes, remove_scratch

SOURCES = Sources(
    {
        ("ConfigMap", "settings"): {"a.yaml": b"a: 1", "b": b"2"},
        ("Secret", "keys"): {"token": b"\x00\xff"},
        ("Secret", "gone"): None,
    }
)


def pod(*volumes: dict[str, Any]) -> dict[str, Any]:
    metadata = {"name": "iris-1", "namespace": "default", "labels": {"app": "iris"}}
    return {"metadata": metadata, "spec": {"volumes": list(volumes), "containers": []}}


def prepared(home: Path, **volume: Any) -> Path:
    return prepare_volumes(pod({"name": "v", **volume}), NodePaths(home), SOURCES)["v"]


def files(folder: Path) -> dict[str, bytes]:
    return {str(f.relative_to(folder)): f.read_bytes() for f in folder.rglob("*") if f.is_file()}


def test_a_claim_is_a_folder(tmp_path: Path) -> None:
    wanted = NodePaths(tmp_path).claim("default", "mine")
    with pytest.raises(PodSetupError) as raised:
        prepared(tmp_path, persistentVolumeClaim={"claimName": "mine"})
    assert raised.value.reason == "VolumeNotFound"
    assert f"mkdir -p {wanted}" in raised.value.message
    wanted.mkdir(parents=True)
    assert prepared(tmp_path, persistentVolumeClaim={"claimName": "mine"}) == wanted


def test_files_of_the_api(tmp_path: Path) -> None:
    config = prepared(tmp_path, configMap={"name": "settings"})
    assert files(config) == {"a.yaml": b"a: 1", "b": b"2"}
    items = [{"key": "token", "path": "sub/t"}]
    secret = prepared(tmp_path / "2", secret={"secretName": "keys", "items": items})
    assert files(secret) == {"sub/t": b"\x00\xff"}
    assert (secret / "sub/t").stat().st_mode & 0o777 == 0o600
    assert files(prepared(tmp_path / "3", secret={"secretName": "gone", "optional": True})) == {}


def test_projected_and_downward(tmp_path: Path) -> None:
    downward = {"items": [{"path": "app", "fieldRef": {"fieldPath": "metadata.labels"}}]}
    sources = [{"configMap": {"name": "settings"}}, {"downwardAPI": downward}]
    folder = prepared(tmp_path, projected={"sources": sources})
    assert files(folder) == {"a.yaml": b"a: 1", "b": b"2", "app": b'app="iris"'}


@pytest.mark.parametrize(
    ("volume", "reason"),
    [
        ({"nfs": {"server": "x"}}, "VolumeNotSupported"),
        ({}, "VolumeNotSupported"),
        ({"projected": {"sources": [{"serviceAccountToken": {}}]}}, "VolumeNotSupported"),
        ({"secret": {"secretName": "gone"}}, "CreateContainerConfigError"),
        ({"hostPath": {"path": "/no/such/folder"}}, "VolumeNotFound"),
        (
            {"configMap": {"name": "settings", "items": [{"key": "b", "path": "../../x"}]}},
            "InvalidPath",
        ),
    ],
)
def test_what_cannot_be(tmp_path: Path, volume: dict[str, Any], reason: str) -> None:
    with pytest.raises(PodSetupError) as raised:
        prepared(tmp_path, **volume)
    assert raised.value.reason == reason


def test_mounts(tmp_path: Path) -> None:
    volumes = {"data": tmp_path / "data"}

    def mounts(*mounted: dict[str, str]) -> dict[str, str]:
        return mounts_of({"volumeMounts": list(mounted)}, volumes, tmp_path / "c")

    found = mounts({"name": "data", "mountPath": "/mnt/models/", "subPath": "iris/1"})
    assert found == {"/mnt/models": str(tmp_path / "data/iris/1")}
    # without a mount there, the predictor's own downloads go into the container's scratch
    assert mounts() == {"/mnt/models": str(tmp_path / "c/models")}
    assert (tmp_path / "c/models").is_dir()
    with pytest.raises(PodSetupError, match='no volume "other"'):
        mounts({"name": "other", "mountPath": "/x"})
    with pytest.raises(PodSetupError, match="relative path"):
        mounts({"name": "data", "mountPath": "/x", "subPath": "../../etc"})


async def test_scratch_is_removed(tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    await remove_scratch(tmp_path / "a", tmp_path / "none")
    assert not (tmp_path / "a").exists()


async def test_sources_are_fetched_once_each() -> None:
    spec = {
        "containers": [
            {
                "env": [
                    {"valueFrom": {"secretKeyRef": {"name": "keys", "key": "token"}}},
                    {"valueFrom": {"configMapKeyRef": {"name": "settings", "key": "a"}}},
                    {"valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
                ],
                "envFrom": [{"secretRef": {"name": "keys"}}, {"configMapRef": {"name": "gone"}}],
            }
        ],
        "volumes": [
            {"secret": {"secretName": "keys"}},
            {
                "projected": {
                    "sources": [{"secret": {"name": "other"}}, {"configMap": {"name": "x"}}]
                }
            },
        ],
    }
    asked: list[tuple[str, str]] = []

    async def get(kind: str, name: str) -> dict[str, Any] | None:
        asked.append((kind, name))
        if name == "keys":
            return {"data": {"token": base64.b64encode(b"t").decode()}}
        if name == "settings":
            return {"data": {"a": "1"}, "binaryData": {"b": base64.b64encode(b"\xff").decode()}}
        return None

    sources = await fetch(references({"spec": spec}), get)
    assert sorted(asked) == [
        *(("ConfigMap", "gone"), ("ConfigMap", "settings"), ("ConfigMap", "x")),
        *(("Secret", "keys"), ("Secret", "other")),
    ]
    assert sources.key("Secret", "keys", "token") == b"t"
    assert sources.all("ConfigMap", "settings") == {"a": b"1", "b": b"\xff"}


def test_what_is_missing_is_told_as_its_user_called_it(tmp_path: Path) -> None:
    paths = NodePaths(tmp_path, run=tmp_path)
    claim = {"name": "m", "persistentVolumeClaim": {"claimName": "models"}}
    pod = {"metadata": {"namespace": "ns", "name": "p"}, "spec": {"volumes": [claim]}}
    folder = tmp_path / "volumes" / "ns" / "models" / "iris"
    other = tmp_path / "volumes" / "ns" / "models-2"
    assert by_uri([f"{folder} does not exist", f"{other} is"], pod, paths) == (
        "pvc://models/iris does not exist",
        f"{other} is",
    )
