from __future__ import annotations

from typing import Any

import httpx
import pytest

V2 = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
V2BETA1 = "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList"


async def test_the_version_is_kubernetes(api: httpx.AsyncClient) -> None:
    version = (await api.get("/version")).json()
    assert version["gitVersion"].startswith(f"v{version['major']}.{version['minor']}.")


async def test_health(api: httpx.AsyncClient) -> None:
    for path in ("/healthz", "/livez", "/readyz"):
        assert (await api.get(path)).text == "ok"


@pytest.mark.parametrize(("accept", "version"), [(V2, "v2"), (V2BETA1, "v2beta1")])
async def test_aggregated_discovery(api: httpx.AsyncClient, accept: str, version: str) -> None:
    header = {"accept": f"{accept},application/json"}
    core = await api.get("/api", headers=header)
    assert core.headers["content-type"] == accept
    assert core.json()["apiVersion"] == f"apidiscovery.k8s.io/{version}"
    pods = _described(core.json(), "", "pods")
    assert pods["scope"] == "Namespaced"
    assert pods["shortNames"] == ["po"]
    assert "log" in [each["subresource"] for each in pods["subresources"]]
    groups = (await api.get("/apis", headers=header)).json()
    deployments = _described(groups, "apps", "deployments")
    scale = next(each for each in deployments["subresources"] if each["subresource"] == "scale")
    assert scale["responseKind"] == {"group": "autoscaling", "version": "v1", "kind": "Scale"}


def _described(document: dict[str, Any], group: str, plural: str) -> dict[str, Any]:
    item = next(each for each in document["items"] if each["metadata"]["name"] == group)
    resources: list[dict[str, Any]] = item["versions"][0]["resources"]
    return next(each for each in resources if each["resource"] == plural)


async def test_the_older_discovery(api: httpx.AsyncClient) -> None:
    assert (await api.get("/api")).json()["versions"] == ["v1"]
    groups = {each["name"]: each for each in (await api.get("/apis")).json()["groups"]}
    assert groups["networking.istio.io"]["preferredVersion"]["version"] == "v1"
    assert len(groups["networking.istio.io"]["versions"]) == 2
    one = (await api.get("/apis/serving.knative.dev")).json()
    assert one["kind"] == "APIGroup"
    resources = (await api.get("/apis/serving.knative.dev/v1")).json()["resources"]
    by_name = {each["name"]: each for each in resources}
    assert by_name["services"]["shortNames"] == ["kservice", "ksvc"]
    assert by_name["services/status"]["verbs"] == ["get", "patch", "update"]
    assert (await api.get("/apis/none.dev")).status_code == 404
    assert (await api.get("/apis/apps/v9")).status_code == 404


async def test_openapi_in_every_form(api: httpx.AsyncClient) -> None:
    v2 = await api.get("/openapi/v2")
    assert v2.json()["swagger"] == "2.0"
    asked = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
    protobuf = await api.get("/openapi/v2", headers={"accept": asked})
    assert protobuf.headers["content-type"].endswith("v2.v1.0+protobuf")
    index = (await api.get("/openapi/v3")).json()["paths"]
    link = index["apis/apps/v1"]["serverRelativeURL"]
    document = await api.get(link)
    assert "io.k8s.api.apps.v1.Deployment" in document.json()["components"]["schemas"]
    assert "immutable" in document.headers["cache-control"]
    known = await api.get(link, headers={"if-none-match": document.headers["etag"]})
    assert known.status_code == 304
    assert (await api.get("/openapi/v3/apis/none/v1")).status_code == 404
