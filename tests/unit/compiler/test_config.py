"""Settings: rouse-config, KServe's inferenceservice-config, and what is said of wrong ones."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rouse.compiler.config import Config, NodePool, Resources
from rouse.compiler.errors import CompileError
from rouse.compiler.gateway import make_certificate
from rouse.errors import ConfigError


def configured(**data: str) -> Config:
    return Config.from_config_map({"data": data})


def refusal(**data: str) -> str:
    with pytest.raises(ConfigError) as caught:
        configured(**data)
    return str(caught.value)


def test_the_defaults_are_kserves() -> None:
    assert Config.from_config_map(None) == Config.from_config_map({}) == Config()
    assert Config.from_kserve({}) == Config()
    assert Config().domain == "example.com"
    assert "autoscaling.knative.dev/min-scale" in Config().annotations_disallowed


def test_text_is_taken_as_it_is_written() -> None:
    config = configured(
        domain="localhost\n", domainTemplate="{{.Name}}.x", ingressStatus="required"
    )
    assert (config.domain, config.domain_template) == ("localhost", "{{.Name}}.x")
    assert config.ingress_status == "required"


def test_structured_settings_are_yaml_or_json() -> None:
    config = configured(
        additionalDomains="[a.example, b.example]",
        disableIngressCreation="true",
        batcherMaxBatchSize="8",
        storageInitializer="{enableOciVolumes: true, cpuLimit: 2}",
        defaultGpuPool="gpu",
        nodePools=json.dumps(
            {
                "gpu": {
                    "nodeSelector": {"cloud.google.com/gke-accelerator": "nvidia-l4"},
                    "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists"}],
                    "runtimeClassName": "nvidia",
                    "resources": ["nvidia.com/gpu"],
                }
            }
        ),
    )
    assert config.additional_domains == ("a.example", "b.example")
    assert config.disable_ingress_creation
    assert config.batcher_max_batch_size == 8
    assert config.storage_initializer.enable_oci_volumes
    assert config.storage_initializer.cpu_limit == "2"
    assert config.storage_initializer.image == Config().storage_initializer.image
    pool = config.node_pools["gpu"]
    assert isinstance(pool, NodePool)
    assert pool.tolerations == ({"key": "nvidia.com/gpu", "operator": "Exists"},)
    assert pool.resources == ("nvidia.com/gpu",)


def test_a_tls_secret_makes_https_unless_told_otherwise() -> None:
    assert configured(tlsSecret="cert").url_scheme == "https"
    assert configured(tlsSecret="cert", urlScheme="http").url_scheme == "http"


@pytest.mark.parametrize(
    ("settings", "gateways", "made"),
    [
        ({}, ["knative-serving/knative-ingress-gateway"], False),
        (
            {"tlsSecret": "cert"},
            ["knative-serving/knative-ingress-gateway", "knative-serving/rouse-tls"],
            True,
        ),
        ({"tlsSecret": "cert", "httpsRedirect": "true"}, ["knative-serving/rouse-tls"], True),
        (
            {"tlsSecret": "cert", "ingressGateway": "edge/all"},
            ["edge/all", "edge/rouse-tls"],
            True,
        ),
        (
            {"tlsSecret": "cert", "tlsGateway": "edge/tls"},
            ["knative-serving/knative-ingress-gateway", "edge/tls"],
            False,
        ),
    ],
)
def test_where_requests_from_outside_come_in(
    settings: dict[str, str], gateways: list[str], made: bool
) -> None:
    config = configured(**settings)
    assert (config.outside_gateways, config.makes_tls_gateway) == (gateways, made)


def test_an_issuer_certifies_what_is_said_or_the_domains() -> None:
    issuer = {"tlsSecret": "cert", "tlsIssuer": "ClusterIssuer/le", "domain": "m.io"}
    assert configured(**issuer).certified_names == ["m.io", "*.m.io"]
    named = configured(**issuer, tlsDnsNames='["*.a.m.io"]')
    assert named.certified_names == ["*.a.m.io"]
    host = "iris.b.m.io"
    with pytest.raises(CompileError, match=r'host iris.b.m.io is not covered.* add "\*.b.m.io"'):
        make_certificate([host], named)
    with pytest.raises(ConfigError, match="tlsIssuer: needs a tlsSecret"):
        configured(tlsIssuer="Issuer/le")
    with pytest.raises(ConfigError, match="must be Issuer/<name> or ClusterIssuer/<name>"):
        configured(tlsSecret="cert", tlsIssuer="letsencrypt")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "httpsRedirect: needs a tlsSecret"),
        (
            {"tlsSecret": "cert", "tlsGateway": "edge/tls"},
            "httpsRedirect: does not go with tlsGateway: let edge/tls redirect",
        ),
    ],
)
def test_a_redirect_needs_the_gateway_that_rouse_makes(
    settings: dict[str, str], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        configured(httpsRedirect="true", **settings)


def test_the_router_is_configured() -> None:
    router = configured(router="headers: {propagate: [X-Tenant, 'X-Trace-.*']}").router
    assert router.image.startswith("ghcr.io/rouse/router:")
    assert router.headers.propagate == ("X-Tenant", "X-Trace-.*")
    assert router.to_object()["requests"] == {"cpu": "100m", "memory": "100Mi"}
    assert "router.headers.propagate[0]" in refusal(router="headers: {propagate: ['(']}")
    assert "one entry for each" in refusal(router="headers: {propagate: ['a,b']}")
    assert "did you mean" in refusal(router="headers: {propagates: []}")
    assert "router.image" in refusal(router="image: ''")


def test_kserves_router_is_read_but_for_its_image() -> None:
    section = {
        "image": "kserve/router:v0.20.0",
        "cpuRequest": "250m",
        "memoryLimit": "2Gi",
        "headers": {"propagate": ["Authorization"]},
        "imagePullSecrets": ["pull"],
        "imagePullPolicy": "IfNotPresent",
    }
    router = Config.from_kserve({"router": json.dumps(section)}).router
    assert router.image == Config().router.image
    assert (router.cpu_request, router.cpu_limit, router.memory_limit) == ("250m", "1", "2Gi")
    assert router.headers.propagate == ("Authorization",)
    assert router.image_pull_secrets == ("pull",)


def test_rouse_config_wins_over_kserves() -> None:
    base = Config.from_kserve({"ingress": '{"ingressDomain": "k.example", "urlScheme": "https"}'})
    config = Config.from_config_map({"data": {"domain": "r.example"}}, base=base)
    assert (config.domain, config.url_scheme) == ("r.example", "https")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"domian": "x"}, 'domian: unknown key; did you mean "domain"? known: additionalDomains'),
        ({"urlScheme": "ftp"}, 'urlScheme: "ftp" is not allowed; allowed: http, https'),
        ({"localGateway": "x"}, 'localGateway: must be <namespace>/<name>, not "x"'),
        ({"pathTemplate": "x"}, 'pathTemplate: must begin with "/"'),
        ({"defaultGpuPool": "x"}, 'defaultGpuPool: there is no node pool "x"; nodePools has: none'),
        ({"nodePools": "{a: {nodeselector: {}}}"}, 'did you mean "nodeSelector"? known: affinity'),
        ({"nodePools": "[a]"}, "nodePools: must be a mapping, not ['a']"),
        ({"nodePools": "{a: ["}, "nodePools: is not valid YAML or JSON"),
        ({"additionalDomains": "a.example"}, 'additionalDomains: must be a list, not "a.example"'),
        ({"disableIngressCreation": "perhaps"}, "must be true or false"),
        ({"batcherMaxBatchSize": "many"}, "batcherMaxBatchSize: must be a whole number"),
        ({"batcherMaxBatchSize": "0"}, "batcherMaxBatchSize: must be 1 or more, not 0"),
        ({"auth": "{gatewayTcpPorts: [0]}"}, "auth.gatewayTcpPorts[0]: must be a port, 1 to 65535"),
        ({"agent": "{imge: x}"}, 'agent.imge: unknown key; did you mean "image"?'),
    ],
)
def test_a_bad_setting_is_refused(data: dict[str, str], message: str) -> None:
    assert message in refusal(**data)
    assert refusal(**data).startswith("ConfigMap rouse-config: ")


def test_all_findings_are_told_at_once() -> None:
    told = refusal(domian="x", urlScheme="ftp", nodePools="{")
    assert all(key in told for key in ("domian:", "urlScheme:", "nodePools:"))


def test_data_of_a_config_map_must_be_text() -> None:
    bad: dict[str, Any] = {"data": {"domain": 1}}
    with pytest.raises(ConfigError, match="domain: must be text"):
        Config.from_config_map(bad)


KSERVE = {
    "_example": "anything",
    "explainers": "{}",
    "ingress": """{
        "ingressDomain": "k.example", "additionalIngressDomains": ["l.example"],
        "domainTemplate": "{{ .Name }}-{{ .Namespace }}.{{ .IngressDomain }}",
        "ingressGateway": "ns/gateway", "urlScheme": "https", "ingressClassName": "istio",
        "pathTemplate": "/serving/{{ .Namespace }}/{{ .Name }}",
        "disableIstioVirtualHost": false, "disableIngressCreation": false}""",
    "deploy": """{
        "defaultDeploymentMode": "RawDeployment", "deploymentRolloutStrategy": {
            "defaultRollout": {"maxSurge": "1", "maxUnavailable": "10%"}}}""",
    "service": '{"serviceClusterIPNone": true}',
    "logger": '{"image": "kserve/agent:latest", "defaultUrl": "http://default-broker"}',
    "batcher": '{"maxBatchSize": "16", "maxLatency": "100"}',
    "agent": '{"image": "kserve/agent:v9", "memoryLimit": "2Gi"}',
    "storageInitializer": '{"image": "x", "cpuLimit": "3", "ociModelMode": "native"}',
    "credentials": """{
        "storageSpecSecretName": "stores", "gcs": {"gcsCredentialFileName": "gcs.json"},
        "s3": {"s3AccessKeyIDName": "ID", "s3Endpoint": "minio:9000", "s3UseHttps": "0"}}""",
    "inferenceService": """{
        "serviceAnnotationDisallowedList": ["a.example/x"],
        "serviceLabelDisallowedList": ["l.example/x"],
        "resource": {"cpuRequest": "1", "cpuLimit": "", "memoryRequest": "2Gi"}}""",
    "autoscaler": '{"scaleDownStabilizationWindowSeconds": "60"}',
}


def test_kserves_configuration_is_read() -> None:
    config = Config.from_kserve(KSERVE)
    assert config.domain == "k.example"
    assert config.additional_domains == ("l.example",)
    assert config.ingress_gateway == "ns/gateway"
    assert config.local_gateway == Config().local_gateway
    assert config.url_scheme == "https"
    assert not config.disable_ingress_creation
    assert config.default_deployment_mode == "Standard"
    assert config.deployment_rollout.to_object()["rollingUpdate"] == {
        "maxSurge": "1",
        "maxUnavailable": "10%",
    }
    assert config.service_cluster_ip_none
    assert config.logger_default_url == "http://default-broker"
    assert (config.batcher_max_batch_size, config.batcher_max_latency_ms) == (16, 100)
    assert (config.agent.image, config.agent.memory_limit) == ("kserve/agent:v9", "2Gi")
    assert config.agent.cpu_limit == "1"
    assert config.storage_initializer.image == Config().storage_initializer.image
    assert config.storage_initializer.cpu_limit == "3"
    assert config.storage_initializer.enable_oci_volumes
    assert config.credentials.storage_spec_secret_name == "stores"
    assert config.credentials.s3_access_key_id_name == "ID"
    assert config.credentials.s3_use_https == "0"
    assert config.credentials.s3_secret_access_key_name == "AWS_SECRET_ACCESS_KEY"
    assert set(config.annotations_disallowed) > {"a.example/x"}
    assert set(config.labels_disallowed) > {"l.example/x"}
    assert config.scale_down_stabilization_window_seconds == 60
    assert config.resources == Resources(cpu_request="1", memory_request="2Gi")
    assert config.resources.to_object() == {"requests": {"cpu": "1", "memory": "2Gi"}}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"ingress": "{"}, "ingress: is not valid YAML or JSON"),
        ({"ingress": "[]"}, "ingress: must be a JSON object"),
        ({"ingress": {"ingressDomain": "x"}}, "ingress: must be text, as in every ConfigMap"),
        ({"deploy": '{"defaultDeploymentMode": []}'}, "defaultDeploymentMode: [] is not allowed"),
        ({"batcher": '{"maxBatchSize": "x"}'}, "batcherMaxBatchSize: must be a whole number"),
        ({"deploy": '{"defaultDeploymentMode": "ModelMesh"}'}, '"ModelMesh" is not allowed'),
        (
            {"deploy": '{"deploymentRolloutStrategy": {"defaultRollout": {"maxSurge": "few"}}}'},
            'deploymentRollout.maxSurge: "few" is no number of pods',
        ),
    ],
)
def test_what_cannot_be_used_of_kserves_is_refused(data: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Config.from_kserve(data)
    assert message in str(caught.value)
