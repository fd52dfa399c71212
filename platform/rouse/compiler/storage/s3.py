"""How an S3 store is reached: annotations of a Secret or service account, then the installation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rouse.api.base import Object
from rouse.compiler.config import Config

__all__ = ["s3_settings"]

_PREFIX = "serving.kserve.io/s3-"
_PLAIN = {
    "verifyssl": ("S3_VERIFY_SSL", "s3_verify_ssl"),
    "useanoncredential": ("awsAnonymousCredential", "s3_use_anonymous_credential"),
    "region": ("AWS_DEFAULT_REGION", "s3_region"),
    "usevirtualbucket": ("S3_USER_VIRTUAL_BUCKET", "s3_use_virtual_bucket"),
    "useaccelerate": ("S3_USE_ACCELERATE", "s3_use_accelerate"),
    "cabundle": ("AWS_CA_BUNDLE", "s3_ca_bundle"),
    "cabundle-configmap": ("AWS_CA_BUNDLE_CONFIGMAP", "s3_ca_bundle_config_map"),
}
"""Annotation -> variable and field of the settings; the names are KServe's, odd ones included."""


def s3_settings(annotations: Mapping[str, str], config: Config) -> Iterator[Object]:
    """Yield the variables that name endpoint, region and the like; none of them is secret."""
    settings = config.credentials
    endpoint = annotations.get(f"{_PREFIX}endpoint") or settings.s3_endpoint
    if endpoint:
        use_https = annotations.get(f"{_PREFIX}usehttps", settings.s3_use_https)
        scheme = "http" if use_https == "0" else "https"
        if use_https:
            yield {"name": "S3_USE_HTTPS", "value": use_https}
        yield {"name": "S3_ENDPOINT", "value": endpoint}
        yield {"name": "AWS_ENDPOINT_URL", "value": f"{scheme}://{endpoint}"}
    for annotation, (variable, field) in _PLAIN.items():
        value = annotations.get(_PREFIX + annotation, getattr(settings, field))
        if value:
            yield {"name": variable, "value": value}
