"""The host names of an InferenceService and its URLs."""

from __future__ import annotations

from rouse.api.inferenceservice.lifecycle import Reason
from rouse.api.inferenceservice.types import InferenceService
from rouse.api.names import MAX_LABEL, is_dns_subdomain
from rouse.compiler.config import Config
from rouse.compiler.errors import CompileError
from rouse.compiler.metadata import is_cluster_local
from rouse.compiler.names import service_host
from rouse.compiler.placeholders import Values, fill_text

__all__ = ["external_host", "external_hosts", "local_host", "public_path", "public_url"]


def local_host(isvc: InferenceService, config: Config) -> str:
    """Return the host clients inside the cluster use."""
    return service_host(isvc.name, isvc.namespace, config.cluster_domain)


def external_host(isvc: InferenceService, config: Config) -> str:
    """Return the host clients outside use first. Raises CompileError for a bad domainTemplate."""
    return _host(isvc, config, config.domain)


def external_hosts(isvc: InferenceService, config: Config) -> list[str]:
    """Return all hosts clients outside use. Raises CompileError for a bad domainTemplate."""
    domains = (config.domain, *config.additional_domains)
    return list(dict.fromkeys(_host(isvc, config, domain) for domain in domains))


def public_path(isvc: InferenceService, config: Config) -> str:
    """Return the path under the plain domain, without a slash at its end; empty for none."""
    if not config.path_template:
        return ""
    where = "pathTemplate of ConfigMap rouse-config"
    return fill_text(config.path_template, _values(isvc, config.domain), where).rstrip("/")


def public_url(isvc: InferenceService, config: Config) -> str:
    """Return the URL shown in status: that of the outside, if there is one."""
    if is_cluster_local(isvc):
        return f"http://{local_host(isvc, config)}"
    path = public_path(isvc, config)
    host = config.domain if path else external_host(isvc, config)
    return f"{config.url_scheme}://{host}{path}"


def _host(isvc: InferenceService, config: Config, domain: str) -> str:
    where = "domainTemplate of ConfigMap rouse-config"
    host = fill_text(config.domain_template, _values(isvc, domain), where)
    if not is_dns_subdomain(host) or any(len(label) > MAX_LABEL for label in host.split(".")):
        raise CompileError(
            Reason.INVALID_SPEC,
            f'{where} makes "{host}", which is no host name; use a shorter name or another '
            "template",
        )
    return host


def _values(isvc: InferenceService, domain: str) -> Values:
    return {
        "Name": isvc.name,
        "Namespace": isvc.namespace,
        "IngressDomain": domain,
        "Labels": isvc.labels,
        "Annotations": isvc.annotations,
    }
