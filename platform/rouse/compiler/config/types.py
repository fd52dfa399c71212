"""The settings of an installation, their defaults, and the rules among them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Any, Literal

from pydantic.alias_generators import to_camel

from rouse.compiler.config.access import Auth, auth_rules
from rouse.compiler.config.kept import ModelCache, PrePull, kept_rules
from rouse.compiler.config.kserve import read_kserve
from rouse.compiler.config.reading import check, parse_data, read_values
from rouse.compiler.config.resources import CLOSED, Resources
from rouse.compiler.config.router import Router, router_rules
from rouse.compiler.config.standby import Standby, standby_rules
from rouse.errors import FieldError

__all__ = [
    "CONFIG_MAP",
    "CONFIG_NAMESPACE",
    "KSERVE_CONFIG_MAP",
    "Agent",
    "Balloons",
    "Config",
    "Credentials",
    "DeploymentRollout",
    "NodePool",
    "OtelCollector",
    "StorageInitializer",
]

CONFIG_MAP = "rouse-config"
CONFIG_NAMESPACE = "rouse-system"
KSERVE_CONFIG_MAP = "inferenceservice-config"

_TLS_GATEWAY = "rouse-tls"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sidecar(Resources):
    """A container that Rouse puts beside others, with KServe's usual resources."""

    cpu_request: str = "100m"
    cpu_limit: str = "1"
    memory_request: str = "100Mi"
    memory_limit: str = "1Gi"


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageInitializer(Sidecar):
    """The init container that fetches models for foreign servers, and how models are mounted."""

    image: str = "ghcr.io/rouse/storage-initializer:v0.1.0"
    enable_oci_volumes: bool = False
    """Mount ``oci://`` models as image volumes; needs Kubernetes 1.33."""
    default_pvc_read_only: bool = True
    """Mount ``pvc://`` models read-only where no annotation says otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent(Sidecar):
    """The sidecar that logs and batches requests of foreign servers."""

    image: str = "kserve/agent:v0.20.0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """Names of secrets, and of the keys in them, that open model stores; KServe's names."""

    __pydantic_config__ = CLOSED

    storage_spec_secret_name: str = "storage-config"  # noqa: S105 - a name, no secret
    storage_secret_name_annotation: str = "serving.kserve.io/storageSecretName"  # noqa: S105
    gcs_credential_file_name: str = "gcloud-application-credentials.json"
    hf_token_name: str = "HF_TOKEN"  # noqa: S105
    s3_access_key_id_name: str = "AWS_ACCESS_KEY_ID"
    s3_secret_access_key_name: str = "AWS_SECRET_ACCESS_KEY"  # noqa: S105
    s3_endpoint: str = ""
    s3_use_https: str = ""
    s3_region: str = ""
    s3_verify_ssl: str = ""
    s3_use_virtual_bucket: str = ""
    s3_use_accelerate: str = ""
    s3_use_anonymous_credential: str = ""
    s3_ca_bundle: str = ""
    s3_ca_bundle_config_map: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentRollout:
    """How Deployments are rolled out: a number of pods or a percentage; empty: Kubernetes' own."""

    __pydantic_config__ = CLOSED

    max_surge: str = ""
    max_unavailable: str = ""

    def to_object(self) -> dict[str, Any]:
        """Return a Deployment's ``strategy``; empty where nothing is said."""
        given = {"maxSurge": self.max_surge, "maxUnavailable": self.max_unavailable}
        rolling = {field: value for field, value in given.items() if value}
        return {"type": "RollingUpdate", "rollingUpdate": rolling} if rolling else {}


@dataclass(frozen=True, slots=True, kw_only=True)
class OtelCollector(Resources):
    """The OpenTelemetry collectors of PodMetric, and KEDA's scaler that they send to."""

    scrape_interval: str = "5s"
    metric_receiver_endpoint: str = "keda-otel-scaler.keda.svc:4317"
    metric_scaler_endpoint: str = "keda-otel-scaler.keda.svc:4318"
    cpu_request: str = "200m"
    cpu_limit: str = "1"
    memory_request: str = "512Mi"
    memory_limit: str = "2Gi"


@dataclass(frozen=True, slots=True, kw_only=True)
class Balloons:
    """Pods that do nothing and give way to any other: they keep room on the nodes of a pool."""

    __pydantic_config__ = CLOSED

    count: int = 0
    forecast: int = 0
    """How many more there are at most, one for each wake-up that is predicted to come soon."""
    resources: Mapping[str, str] = field(default_factory=dict)
    """What each holds, as limits: a GPU or a part of one, cpu, memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodePool:
    """Nodes of one sort: how a pod is sent there, and which resources they have."""

    __pydantic_config__ = CLOSED

    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: tuple[Mapping[str, Any], ...] = ()
    affinity: Mapping[str, Any] = field(default_factory=dict)
    runtime_class_name: str = ""
    topology_spread_constraints: tuple[Mapping[str, Any], ...] = ()
    resources: tuple[str, ...] = ()
    """Names of what the nodes offer, such as nvidia.com/gpu."""
    balloons: Balloons = Balloons()


@dataclass(frozen=True, slots=True)
class Config:
    """The settings; in ConfigMap rouse-config keys in camelCase, structured ones as YAML."""

    __pydantic_config__ = CLOSED

    domain: str = "example.com"
    """The domain of the hosts that clients outside use."""
    domain_template: str = "{{.Name}}.{{.Namespace}}.{{.IngressDomain}}"
    """How such a host is made of name, namespace and domain."""
    url_scheme: Literal["http", "https"] = "http"
    cluster_domain: str = "cluster.local"
    ingress_gateway: str = "knative-serving/knative-ingress-gateway"
    local_gateway: str = "knative-serving/knative-local-gateway"
    local_gateway_service: str = "knative-local-gateway.istio-system.svc.cluster.local"
    ingress_status: Literal["optional", "required"] = "optional"
    """``required``: IngressReady waits until the VirtualService's status says Reconciled for its
    generation. ``optional``: it does so only where such a status is written (Istio by default
    writes none)."""
    additional_domains: tuple[str, ...] = ()
    """More domains that every InferenceService answers under, beside ``domain``."""
    path_template: str = ""
    """A path under the plain ``domain`` that leads to an InferenceService, such as
    ``/serving/{{.Namespace}}/{{.Name}}``; empty: none."""
    disable_ingress_creation: bool = False
    """Make no VirtualService: somebody else leads requests to the components."""
    tls_secret: str = ""
    """The TLS secret, in the gateway's namespace, of the hosts outside; makes urlScheme https."""
    tls_gateway: str = ""
    """The Gateway, as <namespace>/<name>, of HTTPS requests; empty: with a tlsSecret rouse-tls in
    the ingress gateway's namespace is made."""
    tls_gateway_selector: Mapping[str, str] = field(
        default_factory=lambda: {"istio": "ingressgateway"}
    )
    """The labels of the gateway's pods that rouse-tls is for."""
    https_redirect: bool = False
    """Lead HTTP requests from outside to HTTPS, by rouse-tls."""
    tls_issuer: str = ""
    """cert-manager's issuer of the tlsSecret, as <kind>/<name> with kind Issuer or ClusterIssuer;
    empty: the secret comes from elsewhere."""
    tls_dns_names: tuple[str, ...] = ()
    """What the issuer certifies, such as ``*.default.example.com``; empty: ``*.<domain>``, the
    domain itself, and the same of the additional domains."""
    auth: Auth = field(default_factory=Auth)
    """Who may call through the gateway."""
    default_deployment_mode: Literal["Knative", "Standard"] = "Knative"
    """The mode of InferenceServices without the annotation."""
    annotations_disallowed: tuple[str, ...] = (
        "autoscaling.knative.dev/max-scale",
        "autoscaling.knative.dev/min-scale",
        "internal.serving.kserve.io/storage-initializer-sourceuri",
        "kubectl.kubernetes.io/last-applied-configuration",
    )
    """Annotations of an InferenceService that its pods do not get."""
    labels_disallowed: tuple[str, ...] = ("networking.knative.dev/visibility",)
    """Labels of an InferenceService that its pods do not get."""
    annotations_allowed: tuple[str, ...] = ()
    """The only annotations of an InferenceService that its pods get; empty: all not disallowed."""
    balloon_image: str = "registry.k8s.io/pause:3.10"
    """What balloons run: a process that waits."""
    node_pools: Mapping[str, NodePool] = field(default_factory=dict)
    """By the name that annotation rouse.dev/node-pool gives."""
    default_gpu_pool: str = ""
    """The pool of pods that ask for a GPU and name no pool; empty: they go where they can."""
    standby: Mapping[str, Standby] = field(default_factory=dict)
    """By the name of a runtime: pods that wait for a model, in mode Standard."""
    storage_initializer: StorageInitializer = StorageInitializer()
    model_cache: ModelCache = field(default_factory=ModelCache)
    pre_pull: PrePull = field(default_factory=PrePull)
    credentials: Credentials = Credentials()
    agent: Agent = Agent()
    router: Router = field(default_factory=Router)
    """What InferenceGraphs run, and which headers it passes on."""
    logger_default_url: str = ""
    """Where request logs go that name no url."""
    batcher_max_batch_size: int = 32
    batcher_max_latency_ms: int = 5000
    resources: Resources = field(default_factory=Resources)
    """Of the main container of a component, where neither runtime nor InferenceService says it."""
    autoscaler_class: Literal["hpa", "keda", "external", "none"] = "hpa"
    """Who scales components in mode Standard that do not say it."""
    keep_alive: Literal["auto", "off"] = "off"
    """Whether InferenceServices without the annotation rouse.dev/keep-alive are kept awake, and
    woken ahead, as their own history tells."""
    deployment_rollout: DeploymentRollout = DeploymentRollout()
    """Of components in mode Standard that give no deploymentStrategy."""
    service_cluster_ip_none: bool = False
    """Make components' Services headless in mode Standard, where no annotation says otherwise."""
    otel_collector: OtelCollector = OtelCollector()
    scale_up_stabilization_window_seconds: int = 0
    scale_down_stabilization_window_seconds: int = 300

    @property
    def makes_tls_gateway(self) -> bool:
        """Whether the Gateway of HTTPS requests is Rouse's to make."""
        return bool(self.tls_secret) and not self.tls_gateway

    @property
    def https_gateway(self) -> str:
        """The Gateway of HTTPS requests as <namespace>/<name>; empty: there is none of its own."""
        if not self.makes_tls_gateway:
            return self.tls_gateway
        return f"{self.ingress_gateway.partition('/')[0]}/{_TLS_GATEWAY}"

    @property
    def certified_names(self) -> list[str]:
        """The names that the certificate of the tlsIssuer is for."""
        if self.tls_dns_names:
            return list(self.tls_dns_names)
        domains = dict.fromkeys([self.domain, *self.additional_domains])
        return [name for domain in domains for name in (domain, f"*.{domain}")]

    @property
    def outside_gateways(self) -> list[str]:
        """The Gateways that requests from outside come in by."""
        plain = [] if self.https_redirect else [self.ingress_gateway]
        return [*plain, *filter(None, [self.https_gateway])]

    @classmethod
    def from_config_map(
        cls, config_map: Mapping[str, Any] | None, *, base: Config | None = None
    ) -> Config:
        """Read ConfigMap rouse-config; what it does not say is as in ``base``, else the default.

        Raises ConfigError that names every unknown key and every bad value.
        """
        where = f"ConfigMap {CONFIG_MAP}"
        values, findings = parse_data((config_map or {}).get("data") or {}, cls)
        return _configured(base or cls(), values, findings, where)

    @classmethod
    def from_kserve(cls, data: Mapping[str, str]) -> Config:
        """Read the data of KServe's ConfigMap inferenceservice-config.

        Keys that mean nothing here pass; raises ConfigError for a value that cannot be used.
        """
        values, findings = read_kserve(data)
        base = cls()
        for lists in ("annotations_disallowed", "labels_disallowed"):
            # KServe adds its configured lists to those it always has.
            if isinstance(more := values.get(to_camel(lists)), list):
                values[to_camel(lists)] = [*getattr(base, lists), *more]
        return _configured(base, values, findings, f"ConfigMap {KSERVE_CONFIG_MAP}")


def _configured(
    base: Config, values: dict[str, Any], findings: list[FieldError], where: str
) -> Config:
    if values.get("tlsSecret") and "urlScheme" not in values:
        values["urlScheme"] = "https"
    read, more = read_values(base, values)
    config = replace(base, **read)
    check(where, [*findings, *more, *([] if more else _rules(config))])
    return config


_AMOUNT = re.compile(r"[0-9]+%?")


def _rules(config: Config) -> Iterator[FieldError]:
    for key in ("max_surge", "max_unavailable"):
        amount: str = getattr(config.deployment_rollout, key)
        if amount and not _AMOUNT.fullmatch(amount):
            yield FieldError(
                f"deploymentRollout.{to_camel(key)}",
                f'"{amount}" is no number of pods and no percentage such as 25%',
            )
    for key in ("ingress_gateway", "local_gateway", "tls_gateway"):
        given: str = getattr(config, key)
        if (given or key != "tls_gateway") and given.count("/") != 1:
            yield FieldError(to_camel(key), f'must be <namespace>/<name>, not "{given}"')
    if config.https_redirect and not config.makes_tls_gateway:
        yield FieldError(
            "httpsRedirect",
            "needs a tlsSecret"
            if not config.tls_secret
            else f"does not go with tlsGateway: let {config.tls_gateway} redirect, or remove it",
        )
    yield from _issuer_rules(config)
    if config.path_template and not config.path_template.startswith("/"):
        yield FieldError("pathTemplate", f'must begin with "/": "{config.path_template}"')
    pool = config.default_gpu_pool
    if pool and pool not in config.node_pools:
        known = ", ".join(sorted(config.node_pools)) or "none"
        yield FieldError(
            "defaultGpuPool", f'there is no node pool "{pool}"; nodePools has: {known}'
        )
    yield from _pool_rules(config)
    yield from kept_rules(config.model_cache, config.pre_pull)
    yield from standby_rules(config.standby)
    yield from auth_rules(config.auth)
    yield from router_rules(config.router)
    for key in ("batcher_max_batch_size", "batcher_max_latency_ms"):
        if getattr(config, key) < 1:
            yield FieldError(to_camel(key), f"must be 1 or more, not {getattr(config, key)}")


def _issuer_rules(config: Config) -> Iterator[FieldError]:
    issuer_kind, _, issuer_name = config.tls_issuer.partition("/")
    if config.tls_issuer and not (issuer_kind in ("Issuer", "ClusterIssuer") and issuer_name):
        yield FieldError(
            "tlsIssuer", f'must be Issuer/<name> or ClusterIssuer/<name>, not "{config.tls_issuer}"'
        )
    elif config.tls_issuer and not config.tls_secret:
        yield FieldError("tlsIssuer", "needs a tlsSecret: the name of the secret that is issued")


def _pool_rules(config: Config) -> Iterator[FieldError]:
    for name, each in config.node_pools.items():
        for index, constraint in enumerate(each.topology_spread_constraints):
            where = f"nodePools.{name}.topologySpreadConstraints[{index}]"
            for key in ("maxSkew", "topologyKey", "whenUnsatisfiable"):
                if key not in constraint:
                    yield FieldError(f"{where}.{key}", "must be there: Kubernetes asks for it")
        where = f"nodePools.{name}.balloons"
        for key in ("count", "forecast"):
            if (number := getattr(each.balloons, key)) < 0:
                yield FieldError(f"{where}.{key}", f"must be 0 or more, not {number}")
        if (each.balloons.count or each.balloons.forecast) and not each.balloons.resources:
            yield FieldError(
                f"{where}.resources", "must say what a balloon holds, such as {nvidia.com/gpu: 1}"
            )
        for resource in each.balloons.resources:
            offered = each.resources
            if offered and "/" in resource and not any(fnmatchcase(resource, o) for o in offered):
                has = ", ".join(offered)
                yield FieldError(
                    f"{where}.resources.{resource}", f"the pool does not have it; it has: {has}"
                )
