"""Create, read, replace and delete over the API."""

from __future__ import annotations

import base64
from typing import Any

import httpx
import orjson
import pytest

from rouse.embedded.apiserver.memory import memory_api

CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
SERVICES = "/apis/serving.knative.dev/v1/namespaces/default/services"


def config_map(name: str, **data: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name},
        "data": data,
    }


async def test_an_object_comes_back_with_its_identity(api: httpx.AsyncClient) -> None:
    created = await api.post(CONFIG_MAPS, json=config_map("a", x="1"))
    assert created.status_code == 201
    obj = created.json()
    metadata = obj["metadata"]
    assert metadata["namespace"] == "default"
    assert metadata["uid"]
    assert metadata["creationTimestamp"].endswith("Z")
    assert int(metadata["resourceVersion"]) > 0
    assert (await api.get(f"{CONFIG_MAPS}/a")).json() == obj


async def test_a_second_create_is_refused(api: httpx.AsyncClient) -> None:
    await api.post(CONFIG_MAPS, json=config_map("a"))
    again = await api.post(CONFIG_MAPS, json=config_map("a"))
    assert again.status_code == 409
    status = again.json()
    assert status["kind"] == "Status"
    assert status["reason"] == "AlreadyExists"
    assert status["message"] == 'configmaps "a" already exists'
    assert status["details"] == {"name": "a", "kind": "configmaps"}


async def test_generated_names_are_distinct(api: httpx.AsyncClient) -> None:
    body = {"metadata": {"generateName": "job-"}}
    names = {(await api.post(CONFIG_MAPS, json=body)).json()["metadata"]["name"] for _ in range(5)}
    assert len(names) == 5
    assert all(name.startswith("job-") and len(name) == 9 for name in names)


@pytest.mark.parametrize(
    ("body", "code", "told"),
    [
        (b"{", 400, "not valid JSON"),
        (b"[]", 400, "must be an object"),
        (b'{"metadata": 1}', 400, "metadata must be an object"),
        (b'{"metadata": {"labels": {"a": 1}}}', 400, "metadata.labels"),
        (b'{"kind": "Pod", "metadata": {"name": "a"}}', 400, "Kind=Pod"),
        (b'{"metadata": {"name": "a", "namespace": "other"}}', 400, "does not match"),
        (b'{"metadata": {"name": "a", "resourceVersion": "5"}}', 400, "resourceVersion"),
        (b'{"metadata": {}}', 422, "metadata.name"),
        (b'{"metadata": {"name": "Not_A_Name"}}', 422, "RFC 1123"),
        (b'{"metadata": {"name": "a", "labels": {"x": "not a value"}}}', 422, "labels[x]"),
        (b'{"metadata": {"name": "a"}, "data": {"a": 1}}', 422, "data"),
        (
            b'{"metadata": {"name": "a", "ownerReferences": [{"name": "x", "kind": "Y"}]}}',
            422,
            "ownerReferences[0].uid",
        ),
    ],
)
async def test_bad_bodies_are_told_apart(
    api: httpx.AsyncClient, body: bytes, code: int, told: str
) -> None:
    answer = await api.post(CONFIG_MAPS, content=body, headers={"content-type": "application/json"})
    assert answer.status_code == code, answer.text
    assert answer.json()["code"] == code
    assert told in answer.json()["message"]
    assert (await api.get(CONFIG_MAPS)).json()["items"] == []


async def test_yaml_bodies_are_taken(api: httpx.AsyncClient) -> None:
    text = "metadata: {name: y}\ndata:\n  when: 2001-01-01\n"
    answer = await api.post(CONFIG_MAPS, content=text, headers={"content-type": "application/yaml"})
    assert answer.status_code == 201, answer.text
    assert answer.json()["data"] == {"when": "2001-01-01"}
    shown = await api.get(f"{CONFIG_MAPS}/y", headers={"accept": "application/yaml"})
    assert shown.headers["content-type"] == "application/yaml"
    assert "when: '2001-01-01'" in shown.text


async def test_yaml_that_explodes_is_refused(api: httpx.AsyncClient) -> None:
    lines = ["a0: &a0 [x,x,x,x,x,x,x,x,x,x]"]
    lines += [f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    answer = await api.post(
        CONFIG_MAPS, content="\n".join(lines), headers={"content-type": "application/yaml"}
    )
    assert answer.status_code == 400
    assert "expands" in answer.json()["message"]


async def test_too_large_a_body_is_refused(api: httpx.AsyncClient) -> None:
    answer = await api.post(CONFIG_MAPS, json=config_map("a", x="y" * 4_000_000))
    assert answer.status_code == 413
    assert answer.json()["reason"] == "RequestEntityTooLarge"


async def test_an_unknown_format_is_refused(api: httpx.AsyncClient) -> None:
    answer = await api.post(CONFIG_MAPS, content=b"x", headers={"content-type": "text/html"})
    assert answer.status_code == 415


@pytest.mark.parametrize(
    ("path", "told"),
    [
        (f"{CONFIG_MAPS}/none", 'configmaps "none" not found'),
        (f"{SERVICES}/none", 'services.serving.knative.dev "none" not found'),
        ("/api/v1/namespaces/default/nothings", "could not find the requested resource"),
        ("/apis/nothing.dev/v1/things", "could not find the requested resource"),
        ("/nothing", "could not find the requested resource"),
    ],
)
async def test_what_is_not_there(api: httpx.AsyncClient, path: str, told: str) -> None:
    answer = await api.get(path)
    assert answer.status_code == 404
    assert answer.json()["message"].endswith(told)


async def test_a_stale_replace_is_a_conflict(api: httpx.AsyncClient) -> None:
    old = (await api.post(CONFIG_MAPS, json=config_map("a", x="1"))).json()
    new = await api.put(f"{CONFIG_MAPS}/a", json={**old, "data": {"x": "2"}})
    assert new.status_code == 200
    stale = await api.put(f"{CONFIG_MAPS}/a", json={**old, "data": {"x": "3"}})
    assert stale.status_code == 409
    assert stale.json()["reason"] == "Conflict"
    assert "the object has been modified" in stale.json()["message"]
    assert (await api.get(f"{CONFIG_MAPS}/a")).json()["data"] == {"x": "2"}


async def test_a_replace_that_changes_nothing_writes_nothing(api: httpx.AsyncClient) -> None:
    old = (await api.post(CONFIG_MAPS, json=config_map("a", x="1"))).json()
    same = (await api.put(f"{CONFIG_MAPS}/a", json=config_map("a", x="1"))).json()
    assert same == old


async def test_leaving_out_a_default_is_no_change(api: httpx.AsyncClient) -> None:
    spec: dict[str, Any] = {"selector": {}, "template": {"spec": {"containers": []}}}
    body = {"metadata": {"name": "d"}, "spec": spec}
    old = (await api.post(DEPLOYMENTS, json=body)).json()
    assert old["spec"]["replicas"] == 1
    assert (await api.put(f"{DEPLOYMENTS}/d", json=body)).json() == old


async def test_the_uid_of_a_replace_must_fit(api: httpx.AsyncClient) -> None:
    await api.post(CONFIG_MAPS, json=config_map("a"))
    body = config_map("a", x="1")
    body["metadata"]["uid"] = "another"
    answer = await api.put(f"{CONFIG_MAPS}/a", json=body)
    assert answer.status_code == 409
    assert "UID in precondition" in answer.json()["message"]


async def test_custom_resources_are_replaced_at_a_revision_only(api: httpx.AsyncClient) -> None:
    body = {"metadata": {"name": "s"}, "spec": {}}
    await api.post(SERVICES, json=body)
    answer = await api.put(f"{SERVICES}/s", json=body)
    assert answer.status_code == 422
    assert "metadata.resourceVersion" in answer.json()["message"]


async def test_generation_counts_specs_and_status_is_apart(api: httpx.AsyncClient) -> None:
    spec: dict[str, Any] = {"selector": {}, "template": {"spec": {"containers": []}}}
    body = {"metadata": {"name": "d"}, "spec": {**spec, "replicas": 1}, "status": {"replicas": 9}}
    created = (await api.post(DEPLOYMENTS, json=body)).json()
    assert created["metadata"]["generation"] == 1
    assert "status" not in created

    created["metadata"]["labels"] = {"a": "b"}
    created["status"] = {"replicas": 9}
    labelled = (await api.put(f"{DEPLOYMENTS}/d", json=created)).json()
    assert labelled["metadata"]["generation"] == 1
    assert "status" not in labelled

    labelled["spec"]["replicas"] = 2
    labelled["status"] = {"replicas": 3}
    told = (await api.put(f"{DEPLOYMENTS}/d/status", json=labelled)).json()
    assert told["status"] == {"replicas": 3}
    assert told["spec"]["replicas"] == 1
    assert told["metadata"]["generation"] == 1

    told["spec"]["replicas"] = 2
    scaled = (await api.put(f"{DEPLOYMENTS}/d", json=told)).json()
    assert scaled["metadata"]["generation"] == 2
    assert scaled["status"] == {"replicas": 3}


async def test_a_dry_run_stores_nothing(api: httpx.AsyncClient) -> None:
    answer = await api.post(CONFIG_MAPS, params={"dryRun": "All"}, json=config_map("a"))
    assert answer.status_code == 201
    assert answer.json()["metadata"]["uid"]
    assert (await api.get(f"{CONFIG_MAPS}/a")).status_code == 404
    await api.post(CONFIG_MAPS, json=config_map("a"))
    await api.delete(f"{CONFIG_MAPS}/a", params={"dryRun": "All"})
    assert (await api.get(f"{CONFIG_MAPS}/a")).status_code == 200
    assert (await api.post(CONFIG_MAPS, params={"dryRun": "x"}, json={})).status_code == 400


async def test_namespaces_must_exist(api: httpx.AsyncClient) -> None:
    answer = await api.post("/api/v1/namespaces/nowhere/configmaps", json=config_map("a"))
    assert answer.status_code == 404
    assert answer.json()["message"] == 'namespaces "nowhere" not found'


async def test_a_delete_obeys_its_preconditions(api: httpx.AsyncClient) -> None:
    obj = (await api.post(CONFIG_MAPS, json=config_map("a"))).json()
    options = {"preconditions": {"uid": "another"}}
    refused = await api.request("DELETE", f"{CONFIG_MAPS}/a", json=options)
    assert refused.status_code == 409
    options = {"preconditions": {"uid": obj["metadata"]["uid"]}}
    gone = await api.request("DELETE", f"{CONFIG_MAPS}/a", json=options)
    assert gone.status_code == 200
    assert gone.json()["status"] == "Success"
    assert gone.json()["details"]["uid"] == obj["metadata"]["uid"]
    assert (await api.delete(f"{CONFIG_MAPS}/a")).status_code == 404


async def test_finalizers_hold_an_object_until_they_are_gone(api: httpx.AsyncClient) -> None:
    body = config_map("a")
    body["metadata"]["finalizers"] = ["rouse.dev/test"]
    await api.post(CONFIG_MAPS, json=body)
    marked = (await api.delete(f"{CONFIG_MAPS}/a")).json()
    assert marked["metadata"]["deletionTimestamp"]
    marked["metadata"]["finalizers"].append("rouse.dev/late")
    assert (await api.put(f"{CONFIG_MAPS}/a", json=marked)).status_code == 422
    assert (await api.delete(f"{CONFIG_MAPS}/a")).status_code == 200

    marked["metadata"]["finalizers"] = []
    released = await api.put(f"{CONFIG_MAPS}/a", json=marked)
    assert released.status_code == 200
    assert (await api.get(f"{CONFIG_MAPS}/a")).status_code == 404


async def test_a_collection_is_deleted_by_selector(api: httpx.AsyncClient) -> None:
    for name, label in (("a", "x"), ("b", "x"), ("c", "y")):
        body = config_map(name)
        body["metadata"]["labels"] = {"l": label}
        await api.post(CONFIG_MAPS, json=body)
    answer = await api.delete(CONFIG_MAPS, params={"labelSelector": "l=x"})
    assert answer.status_code == 200
    left = (await api.get(CONFIG_MAPS)).json()["items"]
    assert [item["metadata"]["name"] for item in left] == ["c"]


async def test_pods_on_a_node_are_given_their_grace(api: httpx.AsyncClient) -> None:
    pods = "/api/v1/namespaces/default/pods"
    spec = {"containers": [{"name": "c", "image": "i"}], "nodeName": "rouse-local"}
    created = (await api.post(pods, json={"metadata": {"name": "p"}, "spec": spec})).json()
    assert created["status"] == {"phase": "Pending"}
    marked = (await api.delete(f"{pods}/p", params={"gracePeriodSeconds": "7"})).json()
    assert marked["metadata"]["deletionGracePeriodSeconds"] == 7
    assert (await api.get(f"{pods}/p")).status_code == 200
    await api.delete(f"{pods}/p", params={"gracePeriodSeconds": "0"})
    assert (await api.get(f"{pods}/p")).status_code == 404

    spec.pop("nodeName")
    await api.post(pods, json={"metadata": {"name": "q"}, "spec": spec})
    await api.delete(f"{pods}/q")
    assert (await api.get(f"{pods}/q")).status_code == 404


async def test_plain_secrets_are_coded(api: httpx.AsyncClient) -> None:
    secrets = "/api/v1/namespaces/default/secrets"
    body = {"metadata": {"name": "s"}, "stringData": {"key": "väl"}}
    obj = (await api.post(secrets, json=body)).json()
    assert "stringData" not in obj
    assert base64.b64decode(obj["data"]["key"]).decode() == "väl"
    bad = await api.post(secrets, json={"metadata": {"name": "t"}, "data": {"k": "%%%"}})
    assert bad.status_code == 422


async def test_events_are_one_store_with_two_groups(api: httpx.AsyncClient) -> None:
    event = {
        "metadata": {"name": "e"},
        "involvedObject": {"kind": "Pod", "name": "p", "namespace": "default"},
        "reason": "Started",
        "message": "it runs",
        "type": "Normal",
    }
    await api.post("/api/v1/namespaces/default/events", json=event)
    new = (await api.get("/apis/events.k8s.io/v1/namespaces/default/events/e")).json()
    assert new["apiVersion"] == "events.k8s.io/v1"
    assert new["note"] == "it runs"
    assert new["regarding"]["name"] == "p"
    new["metadata"] = {"name": "f"}
    await api.post("/apis/events.k8s.io/v1/namespaces/default/events", json=new)
    old = (await api.get("/api/v1/namespaces/default/events/f")).json()
    assert old["message"] == "it runs"
    assert old["involvedObject"]["name"] == "p"
    found = await api.get("/api/v1/events", params={"fieldSelector": "involvedObject.name=p"})
    assert len(found.json()["items"]) == 2


async def test_istio_kinds_are_served_in_both_versions(api: httpx.AsyncClient) -> None:
    path = "/apis/networking.istio.io/{}/namespaces/default/virtualservices"
    body = {
        "apiVersion": "networking.istio.io/v1beta1",
        "kind": "VirtualService",
        "metadata": {"name": "v"},
        "spec": {"hosts": ["a"]},
    }
    created = await api.post(path.format("v1beta1"), json=body)
    assert created.json()["apiVersion"] == "networking.istio.io/v1beta1"
    listed = (await api.get(path.format("v1"))).json()
    assert listed["items"][0]["apiVersion"] == "networking.istio.io/v1"
    assert listed["items"][0]["spec"] == {"hosts": ["a"]}


async def test_the_scale_of_a_deployment(api: httpx.AsyncClient) -> None:
    body = {
        "metadata": {"name": "d"},
        "spec": {
            "selector": {"matchLabels": {"app": "d"}},
            "template": {"spec": {"containers": []}},
        },
    }
    await api.post(DEPLOYMENTS, json=body)
    scale = (await api.get(f"{DEPLOYMENTS}/d/scale")).json()
    assert scale["kind"] == "Scale"
    assert scale["spec"] == {"replicas": 1}
    assert scale["status"]["selector"] == "app=d"
    scale["spec"]["replicas"] = 4
    assert (await api.put(f"{DEPLOYMENTS}/d/scale", json=scale)).json()["spec"]["replicas"] == 4
    patched = await api.patch(
        f"{DEPLOYMENTS}/d/scale",
        content=orjson.dumps({"spec": {"replicas": 0}}),
        headers={"content-type": "application/merge-patch+json"},
    )
    assert patched.json()["spec"] == {"replicas": 0}
    assert (await api.get(f"{DEPLOYMENTS}/d")).json()["spec"]["replicas"] == 0
    scale["metadata"].pop("resourceVersion")
    scale["spec"]["replicas"] = -1
    assert (await api.put(f"{DEPLOYMENTS}/d/scale", json=scale)).status_code == 422


async def test_reviews_allow_the_administrator(api: httpx.AsyncClient) -> None:
    body = {"spec": {"resourceAttributes": {"verb": "get", "resource": "pods"}}}
    answer = await api.post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", json=body)
    assert answer.status_code == 201
    assert answer.json()["status"]["allowed"] is True


async def test_interactive_subresources_say_why_not(api: httpx.AsyncClient) -> None:
    answer = await api.post("/api/v1/namespaces/default/pods/p/exec")
    assert answer.status_code == 501
    assert "embedded engine" in answer.json()["message"]
    assert (await api.get("/api/v1/namespaces/default/pods/p/nothing")).status_code == 404


async def test_wrong_methods(api: httpx.AsyncClient) -> None:
    assert (await api.post(f"{CONFIG_MAPS}/a", json={})).status_code == 405
    assert (await api.put(CONFIG_MAPS, json={})).status_code == 405
    assert (await api.post("/version", json={})).status_code == 405


async def test_what_has_a_newer_form_is_taken_with_a_warning() -> None:
    models = "/apis/serving.kserve.io/v1beta1/namespaces/default/inferenceservices"
    body = {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": "m"},
        "spec": {"predictor": {"sklearn": {"storageUri": "pvc://m/x"}}},
    }
    async with memory_api() as (_, api):
        made = await api.post(models, json=body)
        assert made.status_code == 201
        assert "spec.predictor.sklearn is the old style" in made.headers["warning"]


async def test_unknown_fields_of_models_are_errors_by_default() -> None:
    models = "/apis/serving.kserve.io/v1beta1/namespaces/default/inferenceservices"
    model = {"modelFormat": {"name": "sklearn"}, "storageUri": "pvc://m/x"}
    body = {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": "m"},
        "spec": {"predictor": {"model": model, "minReplica": 1}},
    }
    async with memory_api() as (_, api):
        refused = await api.post(models, json=body)
        assert refused.status_code == 400
        assert 'unknown field "spec.predictor.minReplica"' in refused.json()["message"]
        assert '(did you mean "minReplicas"?)' in refused.json()["message"]
        warned = await api.post(models, params={"fieldValidation": "Warn"}, json=body)
        assert warned.status_code == 201
        assert "minReplica" in warned.headers["warning"]
        assert "minReplica" not in warned.json()["spec"]["predictor"]
        invalid = {**body, "metadata": {"name": "n"}, "spec": {"predictor": {}}}
        answer = await api.post(models, json=invalid)
        assert answer.status_code == 422
        assert answer.json()["reason"] == "Invalid"
        assert answer.json()["details"]["causes"][0]["field"].startswith("spec.predictor")
        assert [item["metadata"]["name"] for item in (await api.get(models)).json()["items"]] == [
            "m"
        ]
