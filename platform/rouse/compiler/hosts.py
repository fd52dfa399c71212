"""The host names of an InferenceService and its URLs."""

from __future__ import annotations

from rouse.api.inferenceservice.lifecycle import Reason
from rouse.api.names import MAX_LABEL, is_dns_subdomain
from rouse.compiler.config import Config
from rouse.compiler.errors import CompileError
from rouse.compiler.metadata import is_cluster_local
from rouse.compiler.names import service_host
from rouse.compiler.owner import Owner
from rouse.compiler.placeholders import Values, fill_text

__all__ = ["external_host", "external_hosts", "local_host", "public_path", "public_url"]


def local_host(owner: Owner, config: Config) -> str:
    """Return the host clients inside the cluster use."""
    return service_host(owner.name, owner.namespace, config.cluster_domain)


def external_host(owner: Owner, config: Config) -> str:
    """Return the host clients outside use first. Raises CompileError for a bad domainTemplate."""
    return _host(owner, config, config.domain)


def external_hosts(owner: Owner, config: Config) -> list[str]:
    """Return all hosts clients outside use. Raises CompileError for a bad domainTemplate."""
    domains = (config.domain, *config.additional_domains)
    return list(dict.fromkeys(_host(owner, config, domain) for domain in domains))


def public_path(owner: Owner, config: Config) -> str:
    """Return the path under the plain domain, without a slash at its end; empty for none."""
    if not config.path_template:
        return ""
    where = "pathTemplate of ConfigMap rouse-config"
    return fill_text(config.path_template, _values(owner, config.domain), where).rstrip("/")


def public_url(owner: Owner, config: Config) -> str:
    """Return the URL shown in status: that of the outside, if there is one."""
    if is_cluster_local(owner):
        return f"http://{local_host(owner, config)}"
    path = public_path(owner, config)
    host = config.domain if path else external_host(owner, config)
    return f"{config.url_scheme}://{host}{path}"


def _host(owner: Owner, config: Config, domain: str) -> str:
    where = "domainTemplate of ConfigMap rouse-config"
    host = fill_text(config.domain_template, _values(owner, domain), where)
    if not is_dns_subdomain(host) or any(len(label) > MAX_LABEL for label in host.split(".")):
        raise CompileError(
            Reason.INVALID_SPEC,
            f'{where} makes "{host}", which is no host name; use a shorter name or another '
            "template",
        )
    return host


def _values(owner: Owner, domain: str) -> Values:
    return {
        "Name": owner.name,
        "Namespace": owner.namespace,
        "IngressDomain": domain,
        "Labels": owner.labels,
        "Annotations": owner.annotations,
    }
