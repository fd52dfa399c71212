"""A pod as it was asked for -> the pod as it shall be, and the answer of the webhook."""

from __future__ import annotations

import base64
from copy import deepcopy
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rouse.compiler.config import Config
from rouse.compiler.errors import CompileError
from rouse.compiler.podwebhook import concerns, diff, mutate
from rouse.compiler.storage import Facts
from rouse.embedded.apiserver.jsonpatch import json_patch

CONFIG = Config()
PREFIX = "internal.serving.kserve.io/"
SOURCE = f"{PREFIX}storage-initializer-sourceuri"
URIS = "internal.rouse.dev/storage-uris"
ACCOUNT = {"metadata": {"name": "sa"}, "secrets": [{"name": "creds"}]}
HF = Facts({"sa": ACCOUNT}, {"creds": {"metadata": {}, "data": {"HF_TOKEN": "dA=="}}})


def pod(annotations: dict[str, str], *more: dict[str, Any], **spec: Any) -> dict[str, Any]:
    main = {"name": "kserve-container", "image": "triton", "ports": [{"containerPort": 9000}]}
    return {
        "metadata": {
            "generateName": "iris-",
            "labels": {"serving.kserve.io/inferenceservice": "iris", "component": "predictor"},
            "annotations": annotations,
        },
        "spec": {"containers": [main, *more], **spec},
    }


def initializer(made: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = made["spec"]["initContainers"][-1]
    return found


def agent(made: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = made["spec"]["containers"][-1]
    assert found["name"] == "agent"
    return found


def env_of(container: dict[str, Any]) -> dict[str, Any]:
    return {e["name"]: e.get("value", e.get("valueFrom")) for e in container.get("env", ())}


def test_a_pod_without_our_annotations_is_left_alone() -> None:
    plain = pod({"a": "b"})
    assert not concerns(plain)
    assert mutate(plain, config=CONFIG) is plain
    assert not concerns({"metadata": {}})


def test_the_initializer_fetches_into_a_volume_that_the_server_may_only_read() -> None:
    asked = pod({SOURCE: "s3://bucket/iris"})
    before = deepcopy(asked)
    made = mutate(asked, config=CONFIG)
    assert asked == before
    assert made["spec"] == {
        "containers": [
            {
                "name": "kserve-container",
                "image": "triton",
                "ports": [{"containerPort": 9000}],
                "volumeMounts": [
                    {
                        "name": "kserve-provision-location",
                        "mountPath": "/mnt/models",
                        "readOnly": True,
                    }
                ],
            }
        ],
        "volumes": [{"name": "kserve-provision-location", "emptyDir": {}}],
        "initContainers": [
            {
                "name": "storage-initializer",
                "image": CONFIG.storage_initializer.image,
                "args": ["s3://bucket/iris", "/mnt/models"],
                "resources": {
                    "requests": {"cpu": "100m", "memory": "100Mi"},
                    "limits": {"cpu": "1", "memory": "1Gi"},
                },
                "terminationMessagePolicy": "FallbackToLogsOnError",
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "capabilities": {"drop": ["ALL"]},
                    "seccompProfile": {"type": "RuntimeDefault"},
                    "runAsNonRoot": True,
                },
                "volumeMounts": [{"name": "kserve-provision-location", "mountPath": "/mnt/models"}],
            }
        ],
    }


def test_credentials_of_the_service_account_are_the_initializers() -> None:
    made = mutate(pod({SOURCE: "hf://o/m"}, serviceAccountName="sa"), config=CONFIG, facts=HF)
    reference = {"secretKeyRef": {"name": "creds", "key": "HF_TOKEN"}}
    assert env_of(initializer(made)) == {"HF_TOKEN": reference}
    assert env_of(made["spec"]["containers"][0]) == {}


def test_key_files_become_volumes_of_the_pod() -> None:
    key = {"metadata": {}, "data": {"gcloud-application-credentials.json": "e30="}}
    facts = Facts({"default": ACCOUNT}, {"creds": key})
    made = mutate(pod({SOURCE: "gs://b/m"}), config=CONFIG, facts=facts)
    assert [v["name"] for v in made["spec"]["volumes"]] == [
        "user-gcp-sa",
        "kserve-provision-location",
    ]
    assert {m["mountPath"] for m in initializer(made)["volumeMounts"]} == {
        "/mnt/models",
        "/var/secrets/",
    }


def test_a_predictor_that_fetches_for_itself_gets_its_credentials() -> None:
    asked = pod(
        {"internal.rouse.dev/storage-credentials": "kserve-container"}, serviceAccountName="sa"
    )
    made = mutate(asked, config=CONFIG, facts=HF)
    assert "HF_TOKEN" in env_of(made["spec"]["containers"][0])
    assert "initContainers" not in made["spec"]


S3_CONTAINER: dict[str, Any] = {
    "metadata": {"name": "stores"},
    "spec": {
        "supportedUriFormats": [{"prefix": "s3://"}, {"prefix": "https://"}],
        "container": {"name": "storage-initializer", "image": "stores:v1"},
    },
}


def fetching(uri: str, **annotations: str) -> dict[str, Any]:
    marks = {"internal.rouse.dev/storage-credentials": "kserve-container", **annotations}
    asked = pod(marks)
    asked["spec"]["containers"][0]["env"] = [{"name": "STORAGE_URI", "value": uri}]
    return asked


def test_a_storage_container_fetches_for_a_predictor_too() -> None:
    facts = Facts(storage_containers=[S3_CONTAINER])
    made = mutate(fetching("s3://b/m"), config=CONFIG, facts=facts)
    assert initializer(made)["image"] == "stores:v1"
    assert initializer(made)["args"] == ["s3://b/m", "/mnt/models"]
    assert env_of(made["spec"]["containers"][0]) == {"STORAGE_URI": "/mnt/models"}
    assert mutate(made, config=CONFIG, facts=facts) == made
    for uri in ("https://host/m", "gs://b/m"):
        assert "initContainers" not in mutate(fetching(uri), config=CONFIG, facts=facts)["spec"]


def test_the_storage_container_that_is_named_fetches() -> None:
    other = {**S3_CONTAINER, "metadata": {"name": "a"}}
    named = {
        "metadata": {"name": "z"},
        "spec": {**S3_CONTAINER["spec"], "container": {"name": "c", "image": "chosen:v1"}},
    }
    chosen = {SOURCE: "s3://b/m", "internal.rouse.dev/storage-container": "z"}
    made = mutate(pod(chosen), config=CONFIG, facts=Facts(storage_containers=[other, named]))
    assert initializer(made)["image"] == "chosen:v1"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"metadata": {"name": "y"}}, 'there is no ClusterStorageContainer "z"; there are: y'),
        ({"disabled": True}, '"z" is disabled'),
        ({"spec": {**S3_CONTAINER["spec"], "workloadType": "localModelDownloadJob"}}, "is not for"),
        ({"spec": {**S3_CONTAINER["spec"], "supportedUriFormats": []}}, 'not support "s3://b/m"'),
    ],
)
def test_a_named_storage_container_that_cannot_be_used_is_refused(
    change: dict[str, Any], reason: str
) -> None:
    named = {**S3_CONTAINER, "metadata": {"name": "z"}, **change}
    chosen = {SOURCE: "s3://b/m", "internal.rouse.dev/storage-container": "z"}
    with pytest.raises(CompileError, match=reason):
        mutate(pod(chosen), config=CONFIG, facts=Facts(storage_containers=[named]))


def test_a_storage_container_fetches_by_an_entry_for_a_predictor_too() -> None:
    entry = base64.b64encode(b'{"type": "s3", "bucket": "b"}').decode()
    secrets = {"storage-config": {"metadata": {}, "data": {"mine": entry}}}
    marks = {f"{PREFIX}storage-spec": "true", f"{PREFIX}storage-spec-key": "mine"}
    asked = fetching("<scheme-placeholder>://iris", **marks)
    made = mutate(asked, config=CONFIG, facts=Facts(secrets=secrets))
    assert made == asked
    facts = Facts(secrets=secrets, storage_containers=[S3_CONTAINER])
    made = mutate(asked, config=CONFIG, facts=facts)
    assert initializer(made)["args"] == ["s3://b/iris", "/mnt/models"]
    assert "STORAGE_CONFIG" in env_of(initializer(made))


def test_several_locations_get_a_volume_each_unless_one_holds_the_other() -> None:
    uris = [
        {"uri": "hf://o/base", "mountPath": "/mnt/models"},
        {"uri": "s3://b/lora", "mountPath": "/mnt/models/lora"},
        {"uri": "s3://b/other", "mountPath": "/mnt/other"},
        {"uri": "pvc://claim/x", "mountPath": "/mnt/claim"},
    ]
    made = mutate(pod({URIS: orjson.dumps(uris).decode()}), config=CONFIG)
    assert initializer(made)["args"] == [
        *("hf://o/base", "/mnt/models"),
        *("s3://b/lora", "/mnt/models/lora"),
        *("s3://b/other", "/mnt/other"),
    ]
    assert [m["mountPath"] for m in initializer(made)["volumeMounts"]] == [
        "/mnt/models",
        "/mnt/other",
    ]
    assert {m["mountPath"]: m["name"] for m in made["spec"]["containers"][0]["volumeMounts"]} == {
        "/mnt/claim": "kserve-pvc-source-mnt-claim",
        "/mnt/models": "kserve-provision-location",
        "/mnt/other": "kserve-provision-location-mnt-other",
    }


def test_an_entry_of_storage_config_completes_the_uri() -> None:
    entry = base64.b64encode(b'{"type": "s3", "bucket": "b"}').decode()
    facts = Facts(secrets={"storage-config": {"metadata": {}, "data": {"mine": entry}}})
    asked = pod(
        {
            SOURCE: "<scheme-placeholder>://iris",
            f"{PREFIX}storage-spec": "true",
            f"{PREFIX}storage-spec-key": "mine",
            f"{PREFIX}storage-spec-param": '{"region": "eu"}',
        }
    )
    made = mutate(asked, config=CONFIG, facts=facts)
    assert initializer(made)["args"][0] == "s3://b/iris"
    assert env_of(initializer(made)) == {
        "STORAGE_CONFIG": {"secretKeyRef": {"name": "storage-config", "key": "mine"}},
        "STORAGE_OVERRIDE_CONFIG": '{"region":"eu"}',
    }


def test_a_storage_container_stands_for_the_initializer() -> None:
    special = {
        "metadata": {"name": "mine"},
        "spec": {
            "supportedUriFormats": [{"prefix": "model-registry://"}],
            "container": {
                "name": "other",
                "image": "registry/fetch:v1",
                "env": [{"name": "A", "value": "b"}],
                "resources": {"limits": {"memory": "4Gi"}},
            },
        },
    }
    made = mutate(
        pod({SOURCE: "model-registry://iris"}),
        config=CONFIG,
        facts=Facts(storage_containers=[special]),
    )
    container = initializer(made)
    assert container["name"] == "storage-initializer"
    assert container["image"] == "registry/fetch:v1"
    assert container["args"] == ["model-registry://iris", "/mnt/models"]
    assert container["resources"]["limits"] == {"cpu": "1", "memory": "4Gi"}
    assert env_of(container) == {"A": "b"}
    assert "securityContext" not in container


def test_a_servers_own_storage_uri_is_the_place_it_was_brought_to() -> None:
    asked = pod({SOURCE: "s3://b/m"})
    asked["spec"]["containers"][0]["env"] = [{"name": "STORAGE_URI", "value": "s3://b/m"}]
    made = mutate(asked, config=CONFIG)
    assert env_of(made["spec"]["containers"][0]) == {"STORAGE_URI": "/mnt/models"}


@pytest.mark.parametrize(
    ("annotations", "reason"),
    [
        ({URIS: "[1]"}, r"storage-uris is no JSON list of \{uri, mountPath\}: \[1\]"),
        (
            {SOURCE: "s3://b", f"{PREFIX}storage-spec": "true", f"{PREFIX}storage-spec-param": "x"},
            "storage-spec-param is no JSON object: x",
        ),
        ({SOURCE: "oci://a/b"}, "enableOciVolumes"),
    ],
)
def test_what_cannot_be_done_is_refused(annotations: dict[str, str], reason: str) -> None:
    with pytest.raises(CompileError, match=reason):
        mutate(pod(annotations), config=CONFIG)


def test_a_pod_without_a_server_is_refused() -> None:
    asked = {
        "metadata": {"annotations": {SOURCE: "s3://b/m"}},
        "spec": {"containers": [{"name": "main"}]},
    }
    with pytest.raises(CompileError, match="no container kserve-container"):
        mutate(asked, config=CONFIG)


# -- the agent


LOGGED = {
    f"{PREFIX}logger": "true",
    f"{PREFIX}logger-sink-url": "http://sink",
    f"{PREFIX}logger-mode": "response",
    f"{PREFIX}logger-metadata-headers": "x-a,x-b",
    f"{PREFIX}batcher": "true",
    f"{PREFIX}batcher-max-batchsize": "16",
}
QUEUE_PROXY = {
    "name": "queue-proxy",
    "image": "q",
    "env": [{"name": "USER_PORT", "value": "9000"}, {"name": "SERVING_PROBE", "value": "p"}],
}


def test_the_agent_stands_between_the_queue_proxy_and_the_server() -> None:
    made = mutate(pod(LOGGED, QUEUE_PROXY), config=CONFIG)
    assert agent(made)["args"] == [
        *("--enable-batcher", "--max-batchsize", "16"),
        *("--log-url", "http://sink", "--source-uri", "iris-", "--log-mode", "response"),
        *("--inference-service", "iris", "--namespace", "", "--endpoint", ""),
        *("--component", "predictor", "--metadata-headers", "x-a,x-b"),
        *("--component-port", "9000"),
    ]
    assert env_of(agent(made)) == {"USER_PORT": "9000", "SERVING_PROBE": "p"}
    assert env_of(made["spec"]["containers"][1])["USER_PORT"] == "9081"
    assert agent(made)["ports"][0]["containerPort"] == 9081


def test_without_a_queue_proxy_the_agent_asks_the_servers_probe() -> None:
    asked = pod({f"{PREFIX}batcher": "true"})
    asked["spec"]["containers"][0]["readinessProbe"] = {"httpGet": {"path": "/", "port": 9000}}
    probe = env_of(agent(mutate(asked, config=CONFIG)))["SERVING_READINESS_PROBE"]
    assert orjson.loads(probe) == {"httpGet": {"path": "/", "port": 9000}}


def test_with_a_transformer_beside_the_agent_leads_to_it() -> None:
    transformer = {"name": "transformer-container", "ports": [{"containerPort": 8085}]}
    made = mutate(pod(LOGGED, transformer), config=CONFIG)
    assert agent(made)["args"][-2:] == ["--component-port", "8085"]


SCRAPE = "serving.kserve.io/enable-prometheus-scraping"


@pytest.mark.parametrize(
    ("annotations", "queue_proxy", "found"),
    [
        ({}, True, ("9091", "/metrics")),
        ({}, False, ("8080", "/metrics")),
        (
            {"prometheus.kserve.io/port": "8002", "prometheus.kserve.io/path": "/m"},
            True,
            ("8002", "/m"),
        ),
        ({"prometheus.io/port": "1"}, True, ("1", "/metrics")),
    ],
)
def test_a_prometheus_without_an_operator_is_told_where_the_metrics_are(
    annotations: dict[str, str], queue_proxy: bool, found: tuple[str, str]
) -> None:
    more = [{"name": "queue-proxy", "image": "q"}] if queue_proxy else []
    asked = pod({**annotations, SCRAPE: "true"}, *more)
    made = mutate(asked, config=CONFIG)["metadata"]["annotations"]
    assert made["prometheus.io/scrape"] == "true"
    assert (made["prometheus.io/port"], made["prometheus.io/path"]) == found
    told_no = pod({**annotations, SCRAPE: "false"}, *more)
    assert mutate(told_no, config=CONFIG) == told_no


@pytest.mark.parametrize(
    "asked",
    [
        pod({SOURCE: "hf://o/m", **LOGGED}, QUEUE_PROXY, serviceAccountName="sa"),
        pod(
            {"internal.rouse.dev/storage-credentials": "kserve-container"}, serviceAccountName="sa"
        ),
        pod({SOURCE: "pvc://claim/iris"}),
    ],
)
def test_a_second_time_changes_nothing(asked: dict[str, Any]) -> None:
    once = mutate(asked, config=CONFIG, facts=HF)
    assert once != asked
    assert mutate(once, config=CONFIG, facts=HF) == once


# -- the webhook's answer


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=12,
)
DOCUMENT = st.dictionaries(st.text(max_size=3), JSON, max_size=4)


@given(DOCUMENT, DOCUMENT)
def test_a_patch_makes_one_document_of_the_other(old: Any, new: Any) -> None:
    assert json_patch(old, diff(old, new)) == new
    assert diff(new, deepcopy(new)) == []
