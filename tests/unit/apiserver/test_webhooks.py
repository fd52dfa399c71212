"""Webhooks by URL are asked about writes, and their answers carried out."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from rouse.embedded.apiserver.memory import memory_api
from rouse.embedded.apiserver.server import ApiServer
from rouse.embedded.apiserver.webhooks.configurations import VALIDATING
from tests.unit.apiserver.hooks import (
    ANY_CONFIG_MAP,
    CONFIG_MAPS,
    CONFIGURATIONS,
    Object,
    allow,
    config_map,
    configure,
    json_patch,
    serving,
)

MERGE = {"content-type": "application/merge-patch+json"}


async def no_secrets(request: Object) -> Object:
    data = (request["object"] or {}).get("data") or {}
    if "password" not in data:
        return {"allowed": True, "warnings": ["looked at"]}
    return {"allowed": False, "status": {"code": 403, "message": "passwords go into Secrets"}}


async def test_a_refusal_is_told_in_the_webhooks_words(api: httpx.AsyncClient) -> None:
    async with serving(strict=no_secrets) as hooks:
        await configure(api, hooks.configuration("Validating", "strict"))
        made = await api.post(CONFIG_MAPS, json=config_map(labels={"a": "b"}))
        assert made.status_code == 201
        assert made.headers["warning"] == '299 - "looked at"'
        refused = await api.patch(
            f"{CONFIG_MAPS}/a", json={"data": {"password": "x"}}, headers=MERGE
        )
        assert refused.status_code == 403
        assert refused.json()["message"] == (
            'admission webhook "strict.example.com" denied the request: passwords go into Secrets'
        )
        assert "data" not in (await api.get(f"{CONFIG_MAPS}/a")).json()
        create, update = hooks.asked
    assert create["oldObject"] is None
    told = {name: create[name] for name in ("operation", "name", "namespace", "dryRun", "options")}
    assert told == {
        "operation": "CREATE",
        "name": "a",
        "namespace": "default",
        "dryRun": False,
        "options": {"apiVersion": "meta.k8s.io/v1", "kind": "CreateOptions"},
    }
    assert create["resource"] == {"group": "", "version": "v1", "resource": "configmaps"}
    assert create["userInfo"]["username"] == "rouse-admin"
    assert update["operation"] == "UPDATE"
    assert update["oldObject"]["metadata"]["labels"] == {"a": "b"}
    assert update["object"]["data"] == {"password": "x"}


async def test_changes_come_first_and_in_order(api: httpx.AsyncClient) -> None:
    async def one(_request: Object) -> Object:
        return json_patch({"op": "add", "path": "/data", "value": {"by": "one"}})

    async def two(request: Object) -> Object:
        said = request["object"]["data"]["by"]
        return json_patch({"op": "replace", "path": "/data/by", "value": f"{said}, two"})

    async with serving(one=one, two=two, last=no_secrets) as hooks:
        await configure(api, hooks.configuration("Validating", "last"))
        await configure(api, hooks.configuration("Mutating", "one", "two"))
        stored = await api.post(CONFIG_MAPS, params={"dryRun": "All"}, json=config_map())
        assert stored.json()["data"] == {"by": "one, two"}
        assert [each["dryRun"] for each in hooks.asked] == [True, True, True]
        assert hooks.asked[-1]["object"]["data"] == {"by": "one, two"}
    assert (await api.get(f"{CONFIG_MAPS}/a")).status_code == 404


async def test_what_a_webhook_makes_must_fit_the_kind(api: httpx.AsyncClient) -> None:
    async def spoil(_request: Object) -> Object:
        return json_patch({"op": "add", "path": "/data", "value": {"count": 3}})

    async with serving(spoil=spoil) as hooks:
        await configure(api, hooks.configuration("Mutating", "spoil"))
        refused = await api.post(CONFIG_MAPS, json=config_map())
    assert refused.status_code == 422
    assert "data.count" in refused.json()["message"]


async def other_uid(_request: Object) -> Object:
    return {"allowed": True, "uid": "another"}


async def bad_patch(_request: Object) -> Object:
    return json_patch({"op": "remove", "path": "/nothing"})


async def new_name(_request: Object) -> Object:
    return json_patch({"op": "replace", "path": "/metadata/name", "value": "b"})


async def odd_warnings(_request: Object) -> Object:
    return {"allowed": True, "warnings": 3}


async def silent(_request: Object) -> Object:
    await asyncio.Event().wait()
    raise AssertionError


@pytest.mark.parametrize(
    ("kind", "path", "judge", "said"),
    [
        ("Validating", "gone", None, "it answers HTTP 404"),
        ("Validating", "uid", other_uid, "expected response.uid"),
        ("Validating", "odd", odd_warnings, "response.warnings must be a list"),
        ("Validating", "silent", silent, "no answer within 1 s"),
        ("Mutating", "patch", bad_patch, "its patch does not fit"),
        ("Mutating", "name", new_name, "its patch changes metadata.name"),
    ],
)
async def test_a_failure_is_what_failure_policy_says(
    api: httpx.AsyncClient, kind: str, path: str, judge: Any, said: str
) -> None:
    judges = {} if judge is None else {path: judge}
    async with serving(**judges) as hooks:
        configuration = hooks.configuration(kind, path, timeoutSeconds=1)
        await configure(api, configuration)
        if judge is not silent:
            refused = await api.post(CONFIG_MAPS, json=config_map())
            assert refused.status_code == 500
            assert f'failed calling webhook "{path}.example.com"' in refused.json()["message"]
            assert said in refused.json()["message"]
        url = f"{CONFIGURATIONS}/{kind.lower()}webhookconfigurations"
        await api.delete(f"{url}/{configuration['metadata']['name']}")
        for webhook in configuration["webhooks"]:
            webhook["failurePolicy"] = "Ignore"
        await configure(api, configuration)
        assert (await api.post(CONFIG_MAPS, json=config_map())).status_code == 201


async def test_nobody_listens_or_nobody_is_trusted(api: httpx.AsyncClient) -> None:
    async with serving(a=allow) as hooks:
        configuration = hooks.configuration("Validating", "a")
        del configuration["webhooks"][0]["clientConfig"]["caBundle"]
        await configure(api, configuration)
        refused = await api.post(CONFIG_MAPS, json=config_map())
        assert "certificate verify failed" in refused.json()["message"]
    refused = await api.post(CONFIG_MAPS, json=config_map())
    assert refused.status_code == 500
    assert "failed to call webhook" in refused.json()["message"]
    # Whatever it says, it can be taken away: nobody is asked about webhook configurations.
    url = f"{CONFIGURATIONS}/validatingwebhookconfigurations/validating-a"
    assert (await api.delete(url)).status_code == 200
    assert (await api.post(CONFIG_MAPS, json=config_map())).status_code == 201


async def test_what_others_wrote_meanwhile_is_not_lost(api: httpx.AsyncClient) -> None:
    """A patch is made again on what is there; an update and a create are told of it."""
    races: list[Any] = []

    async def slow(_request: Object) -> Object:
        if races:
            write = races.pop()
            assert (await write()).is_success
        return {"allowed": True}

    async def change() -> httpx.Response:
        return await api.patch(f"{CONFIG_MAPS}/a", json={"data": {"b": "2"}}, headers=MERGE)

    async with serving(slow=slow) as hooks:
        await configure(api, hooks.configuration("Validating", "slow"))
        first = (await api.post(CONFIG_MAPS, json=config_map())).json()
        races.append(change)
        done = await api.patch(f"{CONFIG_MAPS}/a", json={"data": {"a": "1"}}, headers=MERGE)
        assert done.json()["data"] == {"a": "1", "b": "2"}
        again = {**config_map(), "data": {"c": "3"}}
        races.append(lambda: api.delete(f"{CONFIG_MAPS}/a"))
        outpaced = await api.put(f"{CONFIG_MAPS}/a", json=again)
        assert (outpaced.status_code, outpaced.json()["reason"]) == (409, "Conflict")
        races.append(lambda: api.post(CONFIG_MAPS, json=config_map()))
        outpaced = await api.post(CONFIG_MAPS, json=config_map())
        assert (outpaced.status_code, outpaced.json()["reason"]) == (409, "AlreadyExists")
        assert (await api.get(f"{CONFIG_MAPS}/a")).json()["metadata"]["uid"] != first["metadata"][
            "uid"
        ]


async def test_deletions_are_asked_about_too(api: httpx.AsyncClient) -> None:
    async def keep(request: Object) -> Object:
        if request["operation"] != "DELETE":
            return {"allowed": True}
        return {"allowed": (request["oldObject"]["metadata"].get("labels") or {}) == {}}

    async with serving(keep=keep) as hooks:
        await configure(api, hooks.configuration("Validating", "keep"))
        await api.post(CONFIG_MAPS, json=config_map("a"))
        await api.post(CONFIG_MAPS, json=config_map("z", labels={"keep": "yes"}))
        assert (await api.delete(f"{CONFIG_MAPS}/z")).status_code == 400
        assert hooks.asked[-1]["object"] is None
        refused = await api.delete(CONFIG_MAPS)
        assert "denied the request without explanation" in refused.json()["message"]
        assert (await api.get(f"{CONFIG_MAPS}/a")).status_code == 404
        assert (await api.get(f"{CONFIG_MAPS}/z")).status_code == 200


async def test_a_deletion_is_of_what_the_webhook_was_asked_about(api: httpx.AsyncClient) -> None:
    """Made anew it is another's; changed it is asked about again."""
    races: list[Any] = []

    async def slow(request: Object) -> Object:
        # What is done meanwhile is asked about, too.
        meanwhile, races[:] = races[:], []
        for write in meanwhile:
            assert (await write()).is_success
        labels = (request["oldObject"] or {"metadata": {}})["metadata"].get("labels") or {}
        return {"allowed": not labels}

    one = f"{CONFIG_MAPS}/a"
    label = {"metadata": {"labels": {"keep": "yes"}}}
    async with serving(slow=slow) as hooks:
        rule = {**ANY_CONFIG_MAP, "operations": ["DELETE"]}
        await configure(api, hooks.configuration("Validating", "slow", rules=[rule]))
        await api.post(CONFIG_MAPS, json=config_map())
        races += [lambda: api.delete(one), lambda: api.post(CONFIG_MAPS, json=config_map())]
        assert (await api.delete(one)).status_code == 404
        assert (await api.get(one)).status_code == 200
        races.append(lambda: api.patch(one, json=label, headers=MERGE))
        assert (await api.delete(one)).status_code == 400
        assert (await api.get(one)).json()["metadata"]["labels"] == {"keep": "yes"}


async def test_a_warning_is_one_line(api: httpx.AsyncClient) -> None:
    async def warns(_request: Object) -> Object:
        return {"allowed": True, "warnings": ["a\r\nx-b: c"]}

    async with serving(warns=warns) as hooks:
        await configure(api, hooks.configuration("Validating", "warns"))
        made = await api.post(CONFIG_MAPS, json=config_map())
        assert made.headers["warning"] == '299 - "a  x-b: c"'
        assert "x-b" not in made.headers


async def test_a_webhook_behind_a_service_is_not_called_and_says_so(
    api: httpx.AsyncClient,
) -> None:
    async with serving() as hooks:
        configuration = hooks.configuration("Validating", "far")
        service = {"name": "far", "namespace": "default"}
        configuration["webhooks"][0]["clientConfig"] = {"service": service}
        configuration["webhooks"][0]["matchConditions"] = [{"name": "a", "expression": "true"}]
        stored = await configure(api, configuration)
        assert "clientConfig.url only" in stored.headers["warning"]
        assert stored.json()["webhooks"][0]["matchConditions"][0]["name"] == "a"
        assert (await api.post(CONFIG_MAPS, json=config_map())).status_code == 201


async def test_a_server_starts_whatever_webhooks_say(tmp_path: Path) -> None:
    """What it brings by itself, such as the definitions, is asked of nobody."""
    everything = {
        "operations": ["*"],
        "apiGroups": ["*"],
        "apiVersions": ["*"],
        "resources": ["*/*"],
    }
    async with serving() as hooks:
        configuration = hooks.configuration("Validating", "gone", rules=[everything])
    async with memory_api(tmp_path / "state.db", manifests=False) as (_, api):
        assert (await configure(api, configuration)).status_code == 201
    async with memory_api(tmp_path / "state.db") as (_, api):
        assert (await api.get("/apis/serving.kserve.io/v1beta1")).status_code == 200
        refused = await api.post(CONFIG_MAPS, json=config_map())
        assert 'failed calling webhook "gone.example.com"' in refused.json()["message"]


async def test_what_was_stored_unseen_is_not_followed(
    server: ApiServer, api: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving() as hooks:
        configuration = hooks.configuration("Validating", "old", rules=[{"resources": [3]}])
    await server.state.store.put(VALIDATING, configuration)
    assert (await api.post(CONFIG_MAPS, json=config_map())).status_code == 201
    assert "validating-old is not followed: webhooks[0].rules[0].operations" in caplog.text


@pytest.mark.parametrize(
    ("changes", "field", "said"),
    [
        ({"clientConfig": {"url": "http://localhost/a"}}, "clientConfig.url", "'https' is the"),
        ({"clientConfig": {"url": "https://a/?b=c"}}, "clientConfig.url", "not permitted"),
        (
            {"clientConfig": {"url": "https://a/", "caBundle": "QUJD"}},
            "clientConfig.caBundle",
            "no PEM certificates",
        ),
        (
            {"clientConfig": {"url": "https://a/", "service": {"name": "a"}}},
            "clientConfig",
            "exactly one of",
        ),
        (
            {"matchConditions": [{"name": "a", "expression": "true"}]},
            "matchConditions",
            "evaluates no CEL",
        ),
        ({"sideEffects": "Some"}, "sideEffects", "supported values"),
        ({"failurePolicy": "Maybe"}, "failurePolicy", "supported values"),
        ({"rules": [{**ANY_CONFIG_MAP, "resources": [3]}]}, "rules[0].resources", "list of texts"),
        ({"objectSelector": {"matchLabels": 3}}, "objectSelector", "no label selector"),
        (
            {"namespaceSelector": {"matchExpressions": [{"key": "a", "operator": "In"}]}},
            "namespaceSelector",
            "no label selector",
        ),
        ({"timeoutSeconds": 0}, "timeoutSeconds", "between 1 and 30"),
        ({"timeoutSeconds": 31}, "timeoutSeconds", "between 1 and 30"),
        ({"admissionReviewVersions": ["v1beta1"]}, "admissionReviewVersions", "must include v1"),
    ],
)
async def test_what_could_not_be_asked_is_refused(
    api: httpx.AsyncClient, changes: Object, field: str, said: str
) -> None:
    async with serving() as hooks:
        refused = await configure(api, hooks.configuration("Validating", "a", **changes))
    assert refused.status_code == 422
    causes = {each["field"]: each["message"] for each in refused.json()["details"]["causes"]}
    assert said in causes[f"webhooks[0].{field}"]
