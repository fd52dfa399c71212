"""Objects in, objects out: names, labels, defaults and endpoints as the genuine ones."""

from __future__ import annotations

from copy import deepcopy

import pytest

from rouse.embedded.knative.make.configuration import make_configuration, make_route
from rouse.embedded.knative.make.deployment import (
    make_deployment,
    make_pod_autoscaler,
    make_services,
)
from rouse.embedded.knative.make.endpoints import (
    Endpoint,
    make_destination_rule,
    make_slices,
)
from rouse.embedded.knative.make.ingress import make_virtual_service
from rouse.embedded.knative.make.revision import (
    autoscaler_spec_of,
    make_revision,
    progress_deadline_s,
)
from rouse.embedded.knative.make.routing import routing_of
from rouse.embedded.knative.settings import Defaults, Settings
from rouse.embedded.knative.traffic import Target
from rouse.errors import ValidationError
from rouse.kube.objects import Object
from tests.unit.knative.harness import knative_service

SETTINGS = Settings()


def stored(obj: Object, **metadata: object) -> Object:
    """The object as the API would hold it."""
    kept = deepcopy(obj)
    kept["metadata"] |= {"uid": f"uid-of-{kept['kind']}", "generation": 1, **metadata}
    return kept


def service(**changes: object) -> Object:
    return stored(knative_service()) | changes


def configuration() -> Object:
    return stored(make_configuration(service()))


def revision(**spec: object) -> Object:
    made = stored(make_revision(configuration(), SETTINGS))
    made["spec"] |= spec
    return made


def route(**metadata: object) -> Object:
    return stored(make_route(service()), **metadata)


def test_configuration() -> None:
    parent = service()
    parent["metadata"]["annotations"] = {
        "kubectl.kubernetes.io/last-applied-configuration": "{}",
        "serving.knative.dev/creator": "me",
    }
    made = make_configuration(parent)
    assert made["metadata"]["labels"] == {
        "serving.knative.dev/service": "iris",
        "serving.knative.dev/serviceUID": "uid-of-Service",
    }
    assert made["metadata"]["annotations"] == {"serving.knative.dev/creator": "me"}
    [owner] = made["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["controller"]) == ("Service", "iris", True)
    assert made["spec"] == {"template": parent["spec"]["template"]}


def test_route_without_traffic_follows_the_latest() -> None:
    assert make_route(service())["spec"]["traffic"] == [
        {"configurationName": "iris", "latestRevision": True, "percent": 100}
    ]


def test_route_with_traffic() -> None:
    parent = service()
    parent["spec"]["traffic"] = [
        {"latestRevision": True, "percent": 20, "tag": "latest"},
        {"revisionName": "iris-00001", "percent": 80, "tag": "prev"},
    ]
    assert make_route(parent)["spec"]["traffic"] == [
        {"configurationName": "iris", "latestRevision": True, "percent": 20, "tag": "latest"},
        {"revisionName": "iris-00001", "percent": 80, "tag": "prev"},
    ]


def test_revision_has_every_default_written_out() -> None:
    made = make_revision(configuration(), SETTINGS)
    assert made["metadata"]["name"] == "iris-00001"
    assert made["metadata"]["labels"] == {
        "component": "predictor",
        "serving.knative.dev/configuration": "iris",
        "serving.knative.dev/configurationUID": "uid-of-Configuration",
        "serving.knative.dev/configurationGeneration": "1",
        "serving.knative.dev/routingState": "pending",
        "serving.knative.dev/service": "iris",
        "serving.knative.dev/serviceUID": "uid-of-Service",
    }
    spec = made["spec"]
    assert (spec["containerConcurrency"], spec["timeoutSeconds"]) == (0, 300)
    assert spec["enableServiceLinks"] is False
    [container] = spec["containers"]
    assert container["ports"] == [{"name": "user-port", "protocol": "TCP", "containerPort": 8080}]
    assert container["readinessProbe"] == {"successThreshold": 1, "tcpSocket": {"port": 8080}}


def test_revision_defaults_come_from_the_cluster() -> None:
    settings = Settings(defaults=Defaults(timeout_s=30, container_concurrency=7))
    spec = make_revision(configuration(), settings)["spec"]
    assert (spec["containerConcurrency"], spec["timeoutSeconds"]) == (7, 30)


def test_revision_keeps_what_is_given() -> None:
    parent = configuration()
    [container] = parent["spec"]["template"]["spec"]["containers"]
    container["ports"] = [{"containerPort": 9000, "name": "h2c"}]
    container["readinessProbe"] = {"httpGet": {"path": "/v2/health/ready"}, "periodSeconds": 3}
    [made] = make_revision(parent, SETTINGS)["spec"]["containers"]
    assert made["ports"] == [{"name": "h2c", "protocol": "TCP", "containerPort": 9000}]
    assert made["readinessProbe"] == {
        "httpGet": {"path": "/v2/health/ready", "port": 9000},
        "periodSeconds": 3,
        "successThreshold": 1,
    }
    assert container["readinessProbe"] == {
        "httpGet": {"path": "/v2/health/ready"},
        "periodSeconds": 3,
    }


def test_revision_by_a_name_of_its_own() -> None:
    parent = configuration()
    parent["spec"]["template"]["metadata"]["name"] = "iris-blue"
    assert make_revision(parent, SETTINGS)["metadata"]["name"] == "iris-blue"


@pytest.mark.parametrize("name", ["blue", "iris-", "iris-Blue", "iris-" + "x" * 60])
def test_revision_by_a_bad_name(name: str) -> None:
    parent = configuration()
    parent["spec"]["template"]["metadata"]["name"] = name
    with pytest.raises(ValidationError, match=r"spec\.template\.metadata\.name"):
        make_revision(parent, SETTINGS)


def test_deployment() -> None:
    made = make_deployment(revision(), replicas=2, progress_deadline_s=600)
    assert made["metadata"]["name"] == "iris-00001-deployment"
    assert made["spec"]["replicas"] == 2
    assert made["spec"]["progressDeadlineSeconds"] == 600
    selector = made["spec"]["selector"]["matchLabels"]
    template = made["spec"]["template"]
    assert selector.items() <= template["metadata"]["labels"].items()
    assert template["metadata"]["labels"]["app"] == "iris-00001"
    assert template["metadata"]["labels"]["serving.knative.dev/revision"] == "iris-00001"
    assert "containerConcurrency" not in template["spec"]
    [container] = template["spec"]["containers"]
    assert {one["name"]: one["value"] for one in container["env"]} == {
        "PORT": "8080",
        "K_REVISION": "iris-00001",
        "K_CONFIGURATION": "iris",
        "K_SERVICE": "iris",
    }


def test_making_twice_gives_the_same() -> None:
    one = make_deployment(revision(), replicas=1, progress_deadline_s=600)
    assert one == make_deployment(revision(), replicas=1, progress_deadline_s=600)


def test_progress_deadline() -> None:
    assert progress_deadline_s(revision(), SETTINGS) == 600
    patient = revision()
    patient["metadata"]["annotations"] = {"serving.knative.dev/progress-deadline": "20m"}
    assert progress_deadline_s(patient, SETTINGS) == 1200
    patient["metadata"]["annotations"] = {"serving.knative.dev/progress-deadline": "long"}
    with pytest.raises(ValidationError, match="progress-deadline"):
        progress_deadline_s(patient, SETTINGS)


def test_pod_autoscaler() -> None:
    made = make_pod_autoscaler(revision(containerConcurrency=5))
    assert made["spec"] == {
        "containerConcurrency": 5,
        "protocolType": "http1",
        "scaleTargetRef": {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "name": "iris-00001-deployment",
        },
    }


def test_services() -> None:
    public, private = make_services(revision())
    assert (public["metadata"]["name"], private["metadata"]["name"]) == (
        "iris-00001",
        "iris-00001-private",
    )
    [port] = public["spec"]["ports"]
    assert (port["name"], port["port"], port["targetPort"]) == ("http", 80, 8080)
    assert public["spec"]["clusterIP"] == "None"


def test_a_grpc_port_makes_the_services_h2c() -> None:
    made = revision()
    made["spec"]["containers"][0]["ports"][0]["name"] = "h2c"
    [public, _] = make_services(made)
    assert public["spec"]["ports"][0]["name"] == "h2c"
    [one] = make_slices(made, "iris-00001", [Endpoint("127.0.0.1", 5000)])
    assert one["ports"][0]["name"] == "h2c"


def test_one_slice_per_endpoint() -> None:
    endpoints = [Endpoint("127.0.0.1", 5002), Endpoint("127.0.0.1", 5001)]
    slices = make_slices(revision(), "iris-00001", endpoints)
    names = [one["metadata"]["name"] for one in slices]
    assert names == ["iris-00001-5001", "iris-00001-5002"]
    assert [one["ports"][0]["port"] for one in slices] == [5001, 5002]
    for one in slices:
        assert one["metadata"]["labels"]["kubernetes.io/service-name"] == "iris-00001"
        assert one["addressType"] == "IPv4"
        assert one["endpoints"][0]["addresses"] == ["127.0.0.1"]


def test_no_endpoint_is_said_by_an_empty_slice() -> None:
    [one] = make_slices(revision(), "iris-00001-private", [])
    assert one["endpoints"] == []


@pytest.mark.parametrize(
    ("port_name", "pool"),
    [
        ("http1", {"tcp": {"maxConnections": 4}}),
        ("h2c", {"tcp": {"maxConnections": 1}, "http": {"maxConcurrentStreams": 4}}),
    ],
)
def test_destination_rule(port_name: str, pool: Object) -> None:
    limited = revision(containerConcurrency=4)
    limited["spec"]["containers"][0]["ports"][0]["name"] = port_name
    rule = make_destination_rule(limited)
    assert rule is not None
    assert rule["spec"]["host"] == "iris-00001-private.default.svc.cluster.local"
    assert rule["spec"]["trafficPolicy"]["connectionPool"] == pool


@pytest.mark.parametrize("burst", ["0", "211"])
def test_with_a_limit_the_activator_is_always_in_the_path(burst: str) -> None:
    limited = revision(containerConcurrency=4)
    limited["metadata"]["annotations"] = {"autoscaling.knative.dev/target-burst-capacity": burst}
    assert autoscaler_spec_of(limited, Settings()).decider.target_burst_capacity == -1
    free = {**limited, "spec": {**limited["spec"], "containerConcurrency": 0}}
    assert autoscaler_spec_of(free, Settings()).decider.target_burst_capacity == float(burst)


def test_no_destination_rule_without_a_limit() -> None:
    assert make_destination_rule(revision()) is None


def test_virtual_service() -> None:
    targets = [
        Target("iris-00002", 20, "latest", latest=True),
        Target("iris-00001", 80, "prev"),
    ]
    made = make_virtual_service(route(), targets, "localhost")
    spec = made["spec"]
    assert made["metadata"]["name"] == "iris-ingress"
    assert spec["gateways"] == [
        "knative-serving/knative-local-gateway",
        "knative-serving/knative-ingress-gateway",
    ]
    assert spec["hosts"] == [
        "iris.default.svc.cluster.local",
        "iris.default.localhost",
        "latest-iris.default.svc.cluster.local",
        "latest-iris.default.localhost",
        "prev-iris.default.svc.cluster.local",
        "prev-iris.default.localhost",
    ]
    latest, prev, main = spec["http"]
    assert [one["authority"] for one in prev["match"]] == [
        {"prefix": "prev-iris.default"},
        {"prefix": "prev-iris.default.localhost"},
    ]
    assert [one["weight"] for one in latest["route"]] == [100]
    assert [(one["destination"]["host"], one["weight"]) for one in main["route"]] == [
        ("iris-00002.default.svc.cluster.local", 20),
        ("iris-00001.default.svc.cluster.local", 80),
    ]
    assert main["route"][0]["headers"]["request"]["set"] == {
        "Knative-Serving-Revision": "iris-00002",
        "Knative-Serving-Namespace": "default",
    }


def test_a_revision_named_twice_is_one_destination() -> None:
    targets = [Target("iris-00001", 20, latest=True), Target("iris-00001", 80)]
    [rule] = make_virtual_service(route(), targets, "localhost")["spec"]["http"]
    assert [one["weight"] for one in rule["route"]] == [100]


def test_a_cluster_local_route_has_no_outside() -> None:
    local = route(labels={"networking.knative.dev/visibility": "cluster-local"})
    spec = make_virtual_service(local, [Target("iris-00001", 100)], "localhost")["spec"]
    assert spec["gateways"] == ["knative-serving/knative-local-gateway"]
    assert spec["hosts"] == ["iris.default.svc.cluster.local"]


def test_a_revision_says_whether_routes_lead_to_it_and_its_pods_do_not() -> None:
    made = stored(make_revision(configuration(), SETTINGS))
    assert routing_of(made, [], now="1") is None
    change = routing_of(made, ["iris", "blue"], now="1")
    assert change == {
        "labels": {"serving.knative.dev/routingState": "active"},
        "annotations": {
            "serving.knative.dev/routes": "blue,iris",
            "serving.knative.dev/routingStateModified": "1",
        },
    }
    before = make_deployment(made, replicas=1, progress_deadline_s=600)
    for part in ("labels", "annotations"):
        made["metadata"][part] |= change[part]
    assert make_deployment(made, replicas=1, progress_deadline_s=600) == before
    assert routing_of(made, ["iris", "blue"], now="2") is None
    # Another route is no other state.
    fewer = routing_of(made, ["iris"], now="2")
    assert fewer is not None
    assert fewer["annotations"] == {"serving.knative.dev/routes": "iris"}
    none = routing_of(made, [], now="3")
    assert none is not None
    assert none["labels"] == {"serving.knative.dev/routingState": "reserve"}
