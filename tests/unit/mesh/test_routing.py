"""Real Envoy: requests reach the right backend in the right shape."""

from __future__ import annotations

from math import sqrt

from rouse.kube.objects import Key, Object
from tests.unit.mesh.harness import (
    INGRESS,
    Bench,
    backend,
    endpoint_slice,
    service,
    target,
    virtual_service,
)


def led_to(name: str, port: int) -> tuple[Object, Object]:
    return service(name), endpoint_slice(name, port)


async def test_host_with_and_without_port(bench: Bench) -> None:
    async with backend("a") as a:
        bench.apply(*led_to("a", a.port), virtual_service("iris", {"route": [target("a")]}))
        await bench.settle()
        for host in (
            "iris.default.localhost",
            "iris.default.localhost:8080",
            "IRIS.default.LOCALHOST",
        ):
            response = await bench.ask(host, "/v1/models/iris:predict")
            assert response.status_code == 200, response.text
            seen = response.json()
            assert seen["line"] == "GET /v1/models/iris:predict HTTP/1.1"
            assert seen["headers"]["host"] == host.lower()


async def test_unknown_host_is_told_what_to_do(bench: Bench) -> None:
    response = await bench.ask("nobody.default.localhost")
    assert response.status_code == 404
    assert response.headers["content-type"] == "application/json"
    message = response.json()["error"]
    assert 'host "nobody.default.localhost"' in message
    assert "kubectl get inferenceservices" in message


async def test_known_host_with_unknown_path_names_the_object(bench: Bench) -> None:
    rule = {"match": [{"uri": {"prefix": "/v1"}}], "route": [target("a")]}
    bench.apply(service("a"), virtual_service("iris", rule))
    await bench.settle()
    response = await bench.ask("iris", "/v3")
    assert response.status_code == 404
    assert "VirtualService default/iris" in response.json()["error"]


async def test_no_ready_replica(bench: Bench) -> None:
    bench.apply(
        service("a"),
        endpoint_slice("a", 9, ready=False),
        virtual_service("iris", {"route": [target("a")]}),
    )
    await bench.settle()
    response = await bench.ask("iris")
    assert response.status_code == 503
    assert response.headers["retry-after"] == "1"
    assert response.json() == {"error": "no replica of this model is ready"}


async def test_weights_and_headers_per_destination(bench: Bench) -> None:
    async with backend("old") as old, backend("new") as new:
        canary = {
            "route": [
                target("old", 80, headers={"Knative-Serving-Revision": "old"}),
                target("new", 20, headers={"Knative-Serving-Revision": "new"}),
            ],
            "headers": {"request": {"set": {"Host": "iris-predictor.default", "X-Both": "50%"}}},
        }
        bench.apply(
            *led_to("old", old.port), *led_to("new", new.port), virtual_service("iris", canary)
        )
        await bench.settle()
        count = 1000
        seen = await bench.answered_by("iris", count)
        assert seen["failed"] == 0
        # five standard deviations: one false alarm in a million runs
        assert abs(seen["new"] - 0.2 * count) < 5 * sqrt(count * 0.2 * 0.8)
        for _ in range(20):
            said = (await bench.ask("iris", headers={"knative-serving-revision": "spoofed"})).json()
            assert said["headers"]["knative-serving-revision"] == said["backend"]
            assert said["headers"]["host"] == "iris-predictor.default"
            assert said["headers"]["x-both"] == "50%"


MATCHES: list[tuple[Object, Object, Object | None]] = [
    ({"uri": {"exact": "/a"}}, {"path": "/a?q=1"}, {"path": "/a/b"}),
    ({"uri": {"regex": "/m/[a-z]+"}}, {"path": "/m/iris"}, {"path": "/m/iris/2"}),
    ({"uri": {"prefix": "/Up"}, "ignoreUriCase": True}, {"path": "/uPper"}, {"path": "/x"}),
    ({"method": {"exact": "POST"}}, {"method": "POST"}, {"method": "GET"}),
    (
        {"headers": {"x-user": {"regex": "team-.*"}}},
        {"headers": {"x-user": "team-a"}},
        {"headers": {"x-user": "a"}},
    ),
    ({"headers": {"x-any": {}}}, {"headers": {"x-any": "1"}}, {}),
    ({"withoutHeaders": {"x-off": {"exact": "1"}}}, {}, {"headers": {"x-off": "1"}}),
    ({"withoutHeaders": {"x-off": {}}}, {}, {"headers": {"x-off": "2"}}),
    ({"queryParams": {"v": {"exact": "2"}}}, {"path": "/?v=2"}, {"path": "/?v=3"}),
    ({"authority": {"prefix": "m9."}}, {}, None),
    ({"gateways": [INGRESS], "port": 80}, {}, None),
    ({"uri": {"exact": "/a"}, "method": {"exact": "PUT"}}, {"path": "/a", "method": "PUT"}, {}),
]
"""A match, a request it takes, a request it leaves."""


async def test_matches(bench: Bench) -> None:
    miss = {"directResponse": {"status": 200, "body": {"string": "miss"}}}
    for i, (match, _, _) in enumerate(MATCHES):
        hit = {"match": [match], "directResponse": {"status": 200, "body": {"string": "hit"}}}
        bench.apply(virtual_service(f"m{i}", hit, miss))
    await bench.settle()
    for i, (match, taken, left) in enumerate(MATCHES):
        assert (await bench.ask(f"m{i}", **taken)).text == "hit", match
        if left is not None:
            assert (await bench.ask(f"m{i}", **left)).text == "miss", match


async def test_rewrite_redirect_mirror_fault_and_cors(bench: Bench) -> None:
    async with backend("a") as a, backend("shadow") as shadow:
        rules = [
            {
                "match": [{"uri": {"prefix": "/moved"}}],
                "redirect": {"uri": "/new", "redirectCode": 308},
            },
            {
                "match": [{"uri": {"prefix": "/api/"}}],
                "rewrite": {"uri": "/", "authority": "inner"},
                "route": [target("a")],
                "mirror": target("shadow")["destination"],
            },
            {
                "match": [{"uri": {"prefix": "/broken"}}],
                "fault": {"abort": {"httpStatus": 418}},
                "route": [target("a")],
            },
            {
                "corsPolicy": {
                    "allowOrigins": [{"exact": "https://page"}],
                    "allowMethods": ["GET"],
                },
                "route": [target("a")],
            },
        ]
        bench.apply(
            *led_to("a", a.port),
            *led_to("shadow", shadow.port),
            virtual_service("iris", *rules),
        )
        await bench.settle()
        moved = await bench.ask("iris", "/moved")
        assert moved.status_code == 308
        assert moved.headers["location"] == "http://iris.default.localhost/new"
        said = (await bench.ask("iris", "/api/v2")).json()
        assert said["line"] == "GET /v2 HTTP/1.1"
        assert said["headers"]["host"] == "inner"
        await shadow.arrived.wait()
        assert (await bench.ask("iris", "/broken")).status_code == 418
        answer = await bench.ask("iris", "/", headers={"origin": "https://page"})
        assert answer.headers["access-control-allow-origin"] == "https://page"


async def test_a_bad_object_harms_only_itself(bench: Bench) -> None:
    async with backend("a") as a:
        bad_action = {"route": [target("a", -1), target("a", 101)]}
        bench.apply(
            *led_to("a", a.port),
            virtual_service("good", {"route": [target("a")]}),
            virtual_service(
                "bad", {"match": [{"uri": {"regex": "(?=x)"}}], "route": [target("a")]}
            ),
            virtual_service("worse", bad_action),
            virtual_service("odd", {"route": [target("a")]}, hosts=["no host", "odd.localhost"]),
        )
        await bench.settle()
        assert (await bench.ask("good")).status_code == 200
        assert (await bench.ask("odd.localhost")).status_code == 200
        failed = await bench.ask("worse")
        assert failed.status_code == 500
        assert "spec.http[0].route[0].weight" in failed.json()["error"]
        assert (await bench.ask("bad")).status_code == 404
        reported = {(finding.key, finding.reason) for finding in bench.findings}
        assert reported == {
            (Key("default", name), "InvalidConfiguration") for name in ("bad", "worse", "odd")
        }


async def test_external_name_leads_through_the_local_gateway(bench: Bench) -> None:
    async with backend("a") as a:
        outer = virtual_service(
            "outer",
            {
                "route": [target("inner")],
                "headers": {"request": {"set": {"Host": "inner.default.svc.cluster.local"}}},
            },
            gateways=[INGRESS],
        )
        inner = virtual_service(
            "inner",
            {"route": [target("a")]},
            hosts=["inner.default.svc.cluster.local"],
            gateways=["knative-serving/knative-local-gateway"],
        )
        name = "knative-local-gateway.istio-system.svc.cluster.local"
        leads = service("inner", type="ExternalName", externalName=name)
        bench.apply(*led_to("a", a.port), leads, outer, inner)
        await bench.settle()
        response = await bench.ask("outer")
        assert response.json()["headers"]["host"] == "inner.default.svc.cluster.local"
        # the inner host is not reachable from outside
        assert (await bench.ask("inner.default.svc.cluster.local")).status_code == 404


async def test_two_objects_claim_a_host(bench: Bench) -> None:
    async with backend("a") as a, backend("b") as b:
        host = ["shared.localhost"]
        older = virtual_service("z-older", {"route": [target("a")]}, hosts=host)
        younger = virtual_service(
            "younger",
            {"match": [{"uri": {"prefix": "/b"}}], "route": [target("b")]},
            {"route": [target("b")]},
            hosts=host,
            created="2026-02-01T00:00:00Z",
        )
        bench.apply(*led_to("a", a.port), *led_to("b", b.port), younger, older)
        await bench.settle()
        assert (await bench.ask("shared.localhost", "/")).json()["backend"] == "a"
        assert (await bench.ask("shared.localhost", "/b")).json()["backend"] == "b"
        assert {finding.reason for finding in bench.findings} == {"ConflictingHost"}
        assert {finding.key.name for finding in bench.findings} == {"younger"}
