from __future__ import annotations

from pathlib import Path

import pytest

from rouse.embedded.apiserver.bootstrap import NAMESPACES, bootstrap, drop_field
from rouse.embedded.apiserver.memory import memory_api
from rouse.errors import EngineError
from rouse.manifests import manifests_dir

SETTINGS = "/api/v1/namespaces/rouse-system/configmaps/settings"


@pytest.fixture
def manifests(tmp_path: Path) -> Path:
    (tmp_path / "embedded").mkdir()
    (tmp_path / "embedded" / "settings.yaml").write_text(
        "apiVersion: v1\nkind: ConfigMap\n"
        "metadata: {name: settings, namespace: rouse-system}\n"
        'data: {"a.b": "1", other: "1"}\n'
    )
    return tmp_path


async def test_what_ships_with_rouse_is_there_and_written_once(tmp_path: Path) -> None:
    async with memory_api(tmp_path / "x.db") as (server, api):
        names = {
            item["metadata"]["name"]
            for item in (await api.get("/api/v1/namespaces")).json()["items"]
        }
        assert names == set(NAMESPACES)
        models = "/apis/serving.kserve.io/v1beta1/inferenceservices"
        assert (await api.get(models)).status_code == 200
        revision = server.state.store.revision
        await bootstrap(server, manifests_dir())
        assert server.state.store.revision == revision
    async with memory_api(tmp_path / "x.db") as (server, _):
        assert server.state.store.revision == revision


async def test_what_a_user_changed_stays(manifests: Path) -> None:
    async with memory_api(manifests=False) as (server, api):
        await bootstrap(server, manifests)
        await api.patch(
            SETTINGS,
            content=b'{"data": {"a.b": "mine"}}',
            headers={"content-type": "application/merge-patch+json"},
        )
        file = manifests / "embedded" / "settings.yaml"
        file.write_text(file.read_text().replace('other: "1"', 'other: "2"'))
        await bootstrap(server, manifests)
        assert (await api.get(SETTINGS)).json()["data"] == {"a.b": "mine", "other": "2"}


async def test_what_a_user_deleted_comes_back(manifests: Path) -> None:
    async with memory_api(manifests=False) as (server, api):
        await bootstrap(server, manifests)
        await api.delete(SETTINGS)
        await bootstrap(server, manifests)
        assert (await api.get(SETTINGS)).json()["data"] == {"a.b": "1", "other": "1"}


async def test_a_manifest_that_is_refused_is_named(manifests: Path) -> None:
    bad = manifests / "embedded" / "bad.yaml"
    bad.write_text("apiVersion: none.dev/v1\nkind: Thing\nmetadata: {name: x}\n")
    async with memory_api(manifests=False) as (server, _):
        with pytest.raises(EngineError, match=r"Thing x of .*bad\.yaml cannot be applied"):
            await bootstrap(server, manifests)


@pytest.mark.parametrize(
    ("path", "left"),
    [
        (".data.a.b", {"data": {"a": "x"}, "list": [1]}),
        (".data.a", {"data": {"a.b": "y"}, "list": [1]}),
        ('.list[name="x"].value', {"data": {"a": "x", "a.b": "y"}}),
        (".none", {"data": {"a": "x", "a.b": "y"}, "list": [1]}),
    ],
)
def test_a_field_is_dropped_by_its_path(path: str, left: dict[str, object]) -> None:
    obj: dict[str, object] = {"data": {"a": "x", "a.b": "y"}, "list": [1]}
    drop_field(obj, path)
    assert obj == left
