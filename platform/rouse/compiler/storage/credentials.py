"""Credentials of a service account, by KServe's conventions for its Secrets.

A value never leaves its Secret: variables refer to it by secretKeyRef, files are mounted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from rouse.api.base import Object, Strings
from rouse.compiler.config import Config
from rouse.compiler.merge import merge_container, merge_pod
from rouse.compiler.storage.facts import Facts, secret_keys, secret_text
from rouse.compiler.storage.s3 import s3_settings

__all__ = ["Access", "access_of", "from_secret"]

_ROLE_ANNOTATION = "eks.amazonaws.com/role-arn"
_CERTIFICATES_FOLDER = "/etc/ssl/custom-certs"
_GCS_FOLDER = "/var/secrets/"
_HDFS_FOLDER = "/var/secrets/kserve-hdfscreds"
_HDFS_KEY = "HDFS_NAMENODE"
_HTTPS_KEY = "https-host"
_OLD_S3_KEYS = ("awsAccessKeyID", "awsSecretAccessKey")
_AZURE = {
    "AZURE_SUBSCRIPTION_ID": "AZ_SUBSCRIPTION_ID",
    "AZURE_TENANT_ID": "AZ_TENANT_ID",
    "AZURE_CLIENT_ID": "AZ_CLIENT_ID",
    "AZURE_CLIENT_SECRET": "AZ_CLIENT_SECRET",
    "AZURE_STORAGE_ACCESS_KEY": "",
    "AZURE_ACCESS_TOKEN": "",
    "AZURE_ACCESS_EXPIRES_ON_SECONDS": "",
    "AZURE_ACCOUNT_NAME": "",
    "AZURE_SERVICE_URL": "",
}
"""Variable (also a key of the Secret) -> an older name of the key."""
_AZURE_MARKS = frozenset({"AZURE_CLIENT_ID", "AZ_CLIENT_ID", "AZURE_STORAGE_ACCESS_KEY"})


@dataclass(frozen=True, slots=True)
class Access:
    """What a container needs to open its storage, and the volumes of the pod for it."""

    env: tuple[Object, ...] = ()
    mounts: tuple[Object, ...] = ()
    volumes: tuple[Object, ...] = ()

    def __or__(self, other: Access) -> Access:
        """Both; where they name the same variable, volume or path, the other's counts."""
        container = merge_container(self._container(), other._container())
        pod = merge_pod({"volumes": list(self.volumes)}, {"volumes": list(other.volumes)})
        return Access(
            tuple(container["env"]), tuple(container["volumeMounts"]), tuple(pod["volumes"])
        )

    def laid_under(self, container: Object) -> Object:
        """Return the container with these; what it says itself wins."""
        given = {field: items for field, items in self._container().items() if items}
        return merge_container(given, container) if given else container

    def _container(self) -> Object:
        return {"env": list(self.env), "volumeMounts": list(self.mounts)}


def access_of(account: str, annotations: Mapping[str, str], facts: Facts, config: Config) -> Access:
    """Return the credentials of a service account (``default`` when empty).

    A Secret named by annotation (serving.kserve.io/storageSecretName) stands for those of the
    account. What was not found gives nothing: the location may be open to everybody.
    """
    live = facts.service_accounts.get(account or "default") or {}
    found = Access()
    marks: Strings = (live.get("metadata") or {}).get("annotations") or {}
    if _ROLE_ANNOTATION in marks:
        found |= Access(tuple(s3_settings(marks, config)))
    named = annotations.get(config.credentials.storage_secret_name_annotation)
    names = [named] if named else [each.get("name", "") for each in live.get("secrets") or ()]
    for name in names:
        if name in facts.secrets:
            found |= from_secret(name, facts.secrets[name], config)
    return found | _certificates(found)


def from_secret(name: str, secret: Object, config: Config) -> Access:
    """Return what one Secret opens; which kind it is, its keys tell."""
    keys = secret_keys(secret)
    settings = config.credentials
    for pair in (
        (settings.s3_access_key_id_name, settings.s3_secret_access_key_name),
        _OLD_S3_KEYS,
    ):
        if pair[1] in keys:
            return Access(tuple(_s3(name, pair, secret, config)))
    if settings.gcs_credential_file_name in keys:
        return _gcs(name, settings.gcs_credential_file_name)
    if keys & _AZURE_MARKS:
        return Access(tuple(_azure(name, keys)))
    if _HTTPS_KEY in keys:
        return _https(name, secret)
    if _HDFS_KEY in keys:
        return _files("hdfs-secrets", name, _HDFS_FOLDER)
    if settings.hf_token_name in keys:
        return Access((_reference("HF_TOKEN", name, settings.hf_token_name),))
    return Access()


def _s3(name: str, keys: tuple[str, str], secret: Object, config: Config) -> Iterator[Object]:
    yield _reference("AWS_ACCESS_KEY_ID", name, keys[0])
    yield _reference("AWS_SECRET_ACCESS_KEY", name, keys[1])
    yield from s3_settings((secret.get("metadata") or {}).get("annotations") or {}, config)


def _certificates(access: Access) -> Access:
    """The ConfigMap of certificates that the settings of an S3 store name, mounted."""
    said = {each["name"]: each.get("value", "") for each in access.env}
    config_map = said.get("AWS_CA_BUNDLE_CONFIGMAP")
    if not config_map:
        return Access()
    bundle = said.get("AWS_CA_BUNDLE")
    folder = str(PurePosixPath(bundle).parent) if bundle else _CERTIFICATES_FOLDER
    return Access(
        (
            {"name": "CA_BUNDLE_CONFIGMAP_NAME", "value": config_map},
            {"name": "CA_BUNDLE_VOLUME_MOUNT_POINT", "value": folder},
        ),
        ({"name": "cabundle-cert", "mountPath": folder, "readOnly": True},),
        ({"name": "cabundle-cert", "configMap": {"name": config_map}},),
    )


def _gcs(name: str, file: str) -> Access:
    mounted = _files("user-gcp-sa", name, _GCS_FOLDER)
    env = {"name": "GOOGLE_APPLICATION_CREDENTIALS", "value": _GCS_FOLDER + file}
    return Access((env,), mounted.mounts, mounted.volumes)


def _azure(name: str, keys: frozenset[str]) -> Iterator[Object]:
    for variable, older in _AZURE.items():
        key = older if older in keys else variable
        if key in keys:
            yield _reference(variable, name, key)


def _https(name: str, secret: Object) -> Access:
    host = secret_text(secret, _HTTPS_KEY)
    if not host or "headers" not in secret_keys(secret):
        return Access()
    return Access((_reference(f"{host}-headers", name, "headers"),))


def _files(volume: str, secret: str, folder: str) -> Access:
    return Access(
        mounts=({"name": volume, "mountPath": folder, "readOnly": True},),
        volumes=({"name": volume, "secret": {"secretName": secret}},),
    )


def _reference(variable: str, secret: str, key: str) -> Object:
    return {"name": variable, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}
