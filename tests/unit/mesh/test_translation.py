"""The pure translation: tables of what goes in and what comes out."""

from __future__ import annotations

from typing import Any

import pytest

from rouse.embedded.mesh import MeshObjects
from rouse.embedded.mesh.translate.clusters import eds_name
from rouse.embedded.mesh.translate.envoy import duration, seconds_of
from rouse.embedded.mesh.translate.names import is_hostname, key_of_cluster, service_key
from rouse.embedded.mesh.translate.problems import InvalidFieldError
from rouse.embedded.mesh.translate.snapshot import Snapshot, Translator
from rouse.embedded.mesh.translate.strings import checked_regex
from rouse.kube.objects import Key, Object
from tests.unit.mesh.harness import (
    INGRESS,
    LOCAL,
    destination_rule,
    endpoint_slice,
    service,
    target,
    virtual_service,
)

CLUSTER_A = "outbound|80||a.default.svc.cluster.local"


def translate(*objects: Object) -> Snapshot:
    return Translator().translate(MeshObjects(objects))


def routes_of(*rules: Object, **kwargs: Any) -> list[Object]:
    """The routes of a VirtualService at the ingress, without the last one that says 404."""
    snapshot = translate(service("a"), service("b"), virtual_service("iris", *rules, **kwargs))
    assert snapshot.findings == ()
    (host,) = snapshot.virtual_hosts["ingress"]
    return [route for route in host["routes"] if "direct_response" not in route]


def test_a_plain_route_has_istios_defaults_made_safe() -> None:
    (route,) = routes_of({"route": [target("a")]})
    assert route["match"] == {"prefix": "/"}
    action = route["route"]
    assert action["cluster"] == CLUSTER_A
    assert action["timeout"] == "300s"
    assert action["retry_policy"]["num_retries"] == 2
    # a prediction is not idempotent: repeat it only if no replica can have seen it
    words = set(action["retry_policy"]["retry_on"].split(","))
    assert words == {"connect-failure", "refused-stream", "reset-before-request"}


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"timeout": "0s"}, {"timeout": "0s"}),
        ({"timeout": "1m30s"}, {"timeout": "90s"}),
        ({"rewrite": {"uri": "/x"}}, {"prefix_rewrite": "/x"}),
        ({"rewrite": {"authority": "h"}}, {"host_rewrite_literal": "h"}),
        (
            {"rewrite": {"uriRegexRewrite": {"match": "^/a/(.*)", "rewrite": "/\\1"}}},
            {"regex_rewrite": {"pattern": {"regex": "^/a/(.*)"}, "substitution": "/\\1"}},
        ),
        ({"headers": {"request": {"set": {"host": "h"}}}}, {"host_rewrite_literal": "h"}),
        (
            {
                "mirrors": [
                    {"destination": target("b")["destination"], "percentage": {"value": 1.5}}
                ]
            },
            {
                "request_mirror_policies": [
                    {
                        "cluster": "outbound|80||b.default.svc.cluster.local",
                        "runtime_fraction": {
                            "default_value": {"numerator": 15000, "denominator": "MILLION"}
                        },
                    }
                ]
            },
        ),
    ],
)
def test_actions(rule: Object, expected: Object) -> None:
    (route,) = routes_of({**rule, "route": [target("a")]})
    assert {name: route["route"].get(name) for name in expected} == expected


def test_retries() -> None:
    retries = {"attempts": 3, "perTryTimeout": "2s", "retryOn": "gateway-error,429"}
    (route,) = routes_of({"retries": retries, "route": [target("a")]})
    policy = route["route"]["retry_policy"]
    assert policy["num_retries"] == 3
    assert policy["per_try_timeout"] == "2s"
    assert policy["retry_on"] == "gateway-error,retriable-status-codes"
    assert policy["retriable_status_codes"] == [429]
    (route,) = routes_of({"retries": {"attempts": 0}, "route": [target("a")]})
    assert "retry_policy" not in route["route"]


def test_weights_leave_out_zero() -> None:
    (route,) = routes_of({"route": [target("a", 90), target("b", 0)]})
    assert route["route"]["cluster"] == CLUSTER_A
    (route,) = routes_of({"route": [target("a", 90), target("b", 0), target("a", 10)]})
    clusters = route["route"]["weighted_clusters"]["clusters"]
    assert clusters == [{"name": CLUSTER_A, "weight": 90}, {"name": CLUSTER_A, "weight": 10}]


def test_every_alternative_of_a_match_is_a_route() -> None:
    match = [{"uri": {"prefix": "/v1"}}, {"uri": {"exact": "/v2"}, "method": {"exact": "GET"}}]
    first, second = routes_of({"match": match, "route": [target("a")]})
    assert first["match"] == {"prefix": "/v1"}
    assert second["match"] == {
        "path": "/v2",
        "headers": [{"name": ":method", "string_match": {"exact": "GET"}}],
    }
    assert first["route"] == second["route"]


@pytest.mark.parametrize(
    ("rule", "path"),
    [
        ({}, "spec.http[0]"),
        ({"route": [{"destination": {}}]}, "spec.http[0].route[0].destination.host"),
        ({"route": [target("a", 0), target("b", 0)]}, "spec.http[0].route"),
        ({"route": [target("a", -1), target("b", 1)]}, "spec.http[0].route[0].weight"),
        ({"route": [target("a")], "timeout": "soon"}, "spec.http[0].timeout"),
        ({"route": [target("a")], "retries": {"attempts": -1}}, "spec.http[0].retries.attempts"),
        ({"route": [target("a")], "delegate": {"name": "x"}}, "spec.http[0].delegate"),
        ({"route": [target("a", headers={"bad name": "x"})]}, "headers.request.set[bad name]"),
        ({"route": [target("a", headers={"X-Two": "a\nb"})]}, "headers.request.set[X-Two]"),
        ({"redirect": {"redirectCode": 200}}, "spec.http[0].redirect.redirectCode"),
        ({"directResponse": {"status": 99}}, "spec.http[0].directResponse.status"),
        ({"match": [{"uri": {"regex": "("}}], "route": [target("a")]}, "match[0].uri.regex"),
        ({"match": [{"uri": {"glob": "*"}}], "route": [target("a")]}, "match[0].uri"),
        ({"match": [{"sourceLabels": {}}], "route": [target("a")]}, "match[0].sourceLabels"),
        ({"route": [{"destination": {"host": "x.y.z.example.com"}}]}, "destination.host"),
        (
            {"route": [{"destination": {"host": "a", "subset": "v1"}}]},
            "spec.http[0].route[0].destination.subset",
        ),
    ],
)
def test_findings_name_the_field(rule: Object, path: str) -> None:
    snapshot = translate(
        service("a"), service("b"), virtual_service("iris", rule), virtual_service("other")
    )
    (finding,) = snapshot.findings
    assert finding.key == Key("default", "iris")
    assert path in finding.message
    assert len(snapshot.virtual_hosts["ingress"]) == 2


@pytest.mark.parametrize(
    "pattern",
    ["(?=a)", "(?<!a)b", r"(a)\1", "a{1001}", "(((a{99}){99}){99}){9}", "[", "", "x" * 2000, "a++"],
)
def test_regular_expressions_re2_has_not(pattern: str) -> None:
    with pytest.raises(InvalidFieldError):
        checked_regex(pattern, "x")


@pytest.mark.parametrize(
    "pattern",
    [
        r"/v\d+/.*",
        "(?i)abc",
        r"\pL+",
        r"[[:alpha:]]+",
        r"^(h)(?::\d{1,5})?$",
        "(?P<n>a)",
        "a{0,9}?",
    ],
)
def test_regular_expressions_re2_has(pattern: str) -> None:
    assert checked_regex(pattern, "x") == pattern


@pytest.mark.parametrize(
    ("host", "key"),
    [
        ("a", Key("here", "a")),
        ("a.there", Key("there", "a")),
        ("a.there.svc", Key("there", "a")),
        ("a.there.svc.cluster.local", Key("there", "a")),
        ("a.there.svc.cluster.local.", Key("there", "a")),
        ("www.example.com", None),
        (".svc", None),
        ("a.svc", None),
    ],
)
def test_hosts_of_destinations(host: str, key: Key | None) -> None:
    assert service_key(host, "here") == key


def test_names_of_clusters_lead_back_to_services() -> None:
    assert key_of_cluster(CLUSTER_A) == Key("default", "a")
    assert key_of_cluster("rouse-local-gateway") is None


@pytest.mark.parametrize(
    ("host", "good"),
    [("*", True), ("*.a.b", True), ("a-b.c", True), ("a..b", False), ("a*", False), ("", False)],
)
def test_host_names(host: str, good: bool) -> None:
    assert is_hostname(host) is good


@pytest.mark.parametrize(
    ("text", "seconds"), [("10s", 10), ("1h1m1s", 3661), ("1.5s", 1.5), ("20ms", 0.02), ("0", 0)]
)
def test_durations(text: str, seconds: float) -> None:
    assert seconds_of(text, "x") == pytest.approx(seconds)


def test_durations_are_written_as_protobuf_does() -> None:
    assert [duration(one) for one in (300, 0.25, 0)] == ["300s", "0.25s", "0s"]
    for wrong in ("10", "ten", "", None, "10 s"):
        with pytest.raises(InvalidFieldError):
            seconds_of(wrong, "x")


@pytest.mark.parametrize(
    ("policy", "field", "expected"),
    [
        ({}, "lb_policy", "LEAST_REQUEST"),
        ({"loadBalancer": {"simple": "ROUND_ROBIN"}}, "lb_policy", "ROUND_ROBIN"),
        ({"loadBalancer": {"consistentHash": {"useSourceIp": True}}}, "lb_policy", "RING_HASH"),
        ({"connectionPool": {"tcp": {"connectTimeout": "30ms"}}}, "connect_timeout", "0.03s"),
        (
            {"outlierDetection": {"consecutive5xxErrors": 3, "interval": "1s"}},
            "outlier_detection",
            {
                "enforcing_success_rate": 0,
                "max_ejection_percent": 10,
                "consecutive_5xx": 3,
                "enforcing_consecutive_5xx": 100,
                "interval": "1s",
            },
        ),
    ],
)
def test_traffic_policies(policy: Object, field: str, expected: object) -> None:
    snapshot = translate(
        service("a"), destination_rule("a", policy), virtual_service("i", {"route": [target("a")]})
    )
    assert snapshot.findings == ()
    assert snapshot.clusters[CLUSTER_A][field] == expected


def test_limits_become_circuit_breakers() -> None:
    pool = {
        "tcp": {"maxConnections": 4},
        "http": {
            "http1MaxPendingRequests": 5,
            "http2MaxRequests": 6,
            "maxRequestsPerConnection": 7,
        },
    }
    rule = destination_rule("a", {"connectionPool": pool})
    snapshot = translate(service("a"), rule, virtual_service("i", {"route": [target("a")]}))
    cluster = snapshot.clusters[CLUSTER_A]
    (thresholds,) = cluster["circuit_breakers"]["thresholds"]
    assert thresholds["max_connections"] == 4
    assert thresholds["max_pending_requests"] == 5
    assert thresholds["max_requests"] == 6
    assert "'max_requests_per_connection': 7" in str(cluster)


def test_a_bad_traffic_policy_is_not_applied() -> None:
    rule = destination_rule("a", {"loadBalancer": {"simple": "BEST"}})
    snapshot = translate(service("a"), rule, virtual_service("i", {"route": [target("a")]}))
    assert snapshot.clusters[CLUSTER_A]["lb_policy"] == "LEAST_REQUEST"
    (finding,) = snapshot.findings
    assert finding.kind == "DestinationRule"
    assert "spec.trafficPolicy.loadBalancer.simple" in finding.message


def test_consistent_hashing_reaches_the_route() -> None:
    balancer = {"consistentHash": {"httpHeaderName": "x-user"}}
    rule = destination_rule("a", {"loadBalancer": balancer})
    translator, objects = Translator(), MeshObjects()
    for obj in (service("a"), virtual_service("i", {"route": [target("a")]})):
        objects.put(obj)
    (host,) = translator.translate(objects).virtual_hosts["ingress"]
    assert "hash_policy" not in host["routes"][0]["route"]
    objects.put(rule)  # another object changes the route of one that did not change
    (host,) = translator.translate(objects).virtual_hosts["ingress"]
    expected = [{"header": {"header_name": "x-user"}}]
    assert host["routes"][0]["route"]["hash_policy"] == expected


@pytest.mark.parametrize(
    ("port", "http2"),
    [
        ({"name": "http"}, False),
        ({"name": "h2c"}, True),
        ({"name": "http2"}, True),
        ({"name": "grpc-web"}, True),
        ({"name": "grpc"}, True),
        ({"name": "http", "appProtocol": "kubernetes.io/h2c"}, True),
        ({"name": "h2c", "appProtocol": "http"}, False),
    ],
)
def test_protocol_of_replicas(port: Object, http2: bool) -> None:
    one = service("a")
    one["spec"]["ports"] = [{"port": 80, **port}]
    snapshot = translate(one, virtual_service("i", {"route": [target("a")]}))
    assert ("http2_protocol_options" in str(snapshot.clusters[CLUSTER_A])) is http2


def test_endpoints_are_the_ready_ones_of_all_slices() -> None:
    snapshot = translate(
        service("a"),
        endpoint_slice("a", 1, index=1),
        endpoint_slice("a", 2, index=2),
        endpoint_slice("a", 3, index=3, ready=False),
        endpoint_slice("a", 4, index=4, ready=None),
        endpoint_slice("a", 5, index=5, port_name="metrics"),
        endpoint_slice("a", 6, index=6, port_name=""),
        endpoint_slice("b", 7),
        virtual_service("i", {"route": [target("a")]}),
    )
    assert snapshot.endpoints == {
        CLUSTER_A: frozenset(("127.0.0.1", port) for port in (1, 2, 4, 6))
    }


def test_only_needed_services_become_clusters() -> None:
    revision, private = service("r"), service("r-private")
    revision["metadata"]["labels"] = {"serving.knative.dev/revision": "r"}
    private["metadata"]["labels"] = {
        "serving.knative.dev/revision": "r",
        "networking.internal.knative.dev/serviceType": "Private",
    }
    snapshot = translate(revision, private, service("nobody-asks", ports=[]))
    assert list(snapshot.clusters) == ["outbound|80||r.default.svc.cluster.local"]


def test_gateways() -> None:
    own = {
        "kind": "Gateway",
        "metadata": {"name": "own", "namespace": "default"},
        "spec": {
            "servers": [
                {"port": {"number": 80, "protocol": "HTTP"}, "hosts": ["*.example.com"]},
                {"port": {"number": 443, "protocol": "HTTPS"}, "hosts": ["*"]},
            ]
        },
    }
    rule = {"route": [target("a")]}
    snapshot = translate(
        service("a"),
        own,
        virtual_service("out", rule, gateways=[INGRESS]),
        virtual_service("in", rule, gateways=[LOCAL]),
        virtual_service("mesh", rule, gateways=[]),
        virtual_service("own", rule, gateways=["own"], hosts=["a.example.com", "b.org"]),
        virtual_service("lost", rule, gateways=["nowhere"]),
    )
    domains = {
        listener: sorted(domain for host in hosts for domain in host["domains"])
        for listener, hosts in snapshot.virtual_hosts.items()
    }
    domains["local"] = [one for one in domains["local"] if one.endswith("default.localhost")]
    assert domains == {
        "ingress": ["a.example.com", "out.default.localhost"],
        "local": ["in.default.localhost", "mesh.default.localhost"],
    }
    assert {(one.key.name, one.reason) for one in snapshot.findings} == {
        ("own", "Unsupported"),
        ("lost", "UnknownGateway"),
    }


def test_hosts_of_one_object_share_their_routes() -> None:
    hosts = ["iris.default.localhost", "iris.default.svc.cluster.local"]
    rule = {"route": [target("a")]}
    snapshot = translate(service("a"), virtual_service("iris", rule, hosts=hosts))
    (host,) = snapshot.virtual_hosts["ingress"]
    assert host["domains"] == hosts


def test_translation_depends_on_the_objects_alone() -> None:
    """The result of a long life equals that of a fresh start, byte for byte."""
    objects, old = MeshObjects(), Translator()
    for i in range(20):
        objects.put(service("a"))
        objects.put(endpoint_slice("a", 1000 + i))
        if i % 3:
            objects.put(
                destination_rule("a", {"connectionPool": {"tcp": {"maxConnections": i + 1}}})
            )
        else:
            objects.remove(destination_rule("a", {}))
        objects.put(virtual_service("iris", {"route": [target("a", i), target("b", 100 - i)]}))
        assert old.translate(objects) == Translator().translate(objects)


def test_a_changed_cluster_asks_for_endpoints_under_a_new_name() -> None:
    rule = virtual_service("i", {"route": [target("a")]})
    names = set()
    for limit in (1, 2, 1):
        policy = {"connectionPool": {"tcp": {"maxConnections": limit}}}
        snapshot = translate(service("a"), destination_rule("a", policy), rule)
        names.add(eds_name(snapshot.clusters[CLUSTER_A]))
    assert len(names) == 2
