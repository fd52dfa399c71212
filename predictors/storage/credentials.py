"""What the environment says about buckets, in the words of obstore's stores. Pure.

The variables are those of KServe's storage initializer; an entry of the Secret storage-config
stands above them where its type fits.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any, Final

from predictors.serving.errors import StorageError
from predictors.storage.uris import entry_of

__all__ = ["azure_options", "gs_options", "s3_options", "with_entry"]

_S3_ENTRY: Final = {
    "access_key_id": "AWS_ACCESS_KEY_ID",
    "secret_access_key": "AWS_SECRET_ACCESS_KEY",
    "session_token": "AWS_SESSION_TOKEN",
    "endpoint_url": "AWS_ENDPOINT_URL",
    "region": "AWS_DEFAULT_REGION",
    "verify_ssl": "S3_VERIFY_SSL",
    "anonymous": "awsAnonymousCredential",
    "certificate": "ROUSE_S3_CERTIFICATE",
    "cabundle": "AWS_CA_BUNDLE",
}
_AZURE_ENTRY: Final = {
    "account_name": "AZURE_ACCOUNT_NAME",
    "account_key": "AZURE_STORAGE_ACCESS_KEY",
    "access_key": "AZURE_STORAGE_ACCESS_KEY",
    "sas_token": "AZURE_STORAGE_SAS_TOKEN",
    "client_id": "AZURE_CLIENT_ID",
    "client_secret": "AZURE_CLIENT_SECRET",
    "tenant_id": "AZURE_TENANT_ID",
    "endpoint_url": "AZURE_SERVICE_URL",
}
_HF_ENTRY: Final = {"token": "HF_TOKEN", "endpoint": "HF_ENDPOINT"}
_GS_ENTRY: Final = {
    "base64_service_account": "ROUSE_GS_ACCOUNT_BASE64",
    "service_account": "ROUSE_GS_ACCOUNT",
    "endpoint_url": "STORAGE_EMULATOR_HOST",
    "anonymous": "ROUSE_GS_ANONYMOUS",
}
_ENTRIES: Final = {"s3": _S3_ENTRY, "gs": _GS_ENTRY, "azure": _AZURE_ENTRY, "hf": _HF_ENTRY}

_S3: Final = {
    "AWS_ACCESS_KEY_ID": "access_key_id",
    "AWS_SECRET_ACCESS_KEY": "secret_access_key",
    "AWS_SESSION_TOKEN": "session_token",
    "AWS_WEB_IDENTITY_TOKEN_FILE": "web_identity_token_file",
    "AWS_ROLE_ARN": "role_arn",
    "AWS_ROLE_SESSION_NAME": "role_session_name",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "container_credentials_relative_uri",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI": "container_credentials_full_uri",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "container_authorization_token_file",
}
_AZURE: Final = {
    "AZURE_ACCOUNT_NAME": "account_name",
    "AZURE_STORAGE_ACCOUNT_NAME": "account_name",
    "AZURE_STORAGE_ACCESS_KEY": "account_key",
    "AZURE_STORAGE_SAS_TOKEN": "sas_key",
    "AZURE_CLIENT_ID": "client_id",
    "AZURE_CLIENT_SECRET": "client_secret",
    "AZURE_TENANT_ID": "tenant_id",
    "AZURE_ACCESS_TOKEN": "token",
    "AZURE_FEDERATED_TOKEN_FILE": "federated_token_file",
    "AZURE_AUTHORITY_HOST": "authority_host",
    "AZURE_SERVICE_URL": "endpoint",
}
_AZURE_OLDER: Final = {
    "AZ_CLIENT_ID": "AZURE_CLIENT_ID",
    "AZ_CLIENT_SECRET": "AZURE_CLIENT_SECRET",
    "AZ_TENANT_ID": "AZURE_TENANT_ID",
    "AZ_SUBSCRIPTION_ID": "AZURE_SUBSCRIPTION_ID",
}
_AZURE_KEYS: Final = frozenset(
    {"account_key", "sas_key", "client_id", "token", "federated_token_file"}
)

Options = dict[str, Any]


def with_entry(env: Mapping[str, str], kind: str) -> dict[str, str]:
    """The environment with what an entry of storage-config of this type says laid over it."""
    entry = entry_of(env)
    if entry.get("type") not in (kind, None):
        return dict(env)
    names = _ENTRIES.get(kind, {})
    said = {names[key]: str(value) for key, value in entry.items() if key in names and value != ""}
    return {**env, **said}


def s3_options(env: Mapping[str, str]) -> tuple[Options, Options]:
    """The store's settings and those of its HTTP client, both as obstore names them."""
    env = with_entry(env, "s3")
    store: Options = {name: env[key] for key, name in _S3.items() if env.get(key)}
    store["region"] = env.get("AWS_REGION") or env.get("AWS_DEFAULT_REGION") or "us-east-1"
    client: Options = {}
    endpoint = env.get("AWS_ENDPOINT_URL_S3") or env.get("AWS_ENDPOINT_URL")
    if endpoint:
        store["endpoint"] = endpoint.rstrip("/")
        client["allow_http"] = endpoint.startswith("http://")
    elif _true(env, "S3_USE_ACCELERATE"):
        raise StorageError(
            "transfer acceleration (s3-useaccelerate) is asked for: name the bucket's endpoint "
            "https://BUCKET.s3-accelerate.amazonaws.com as serving.kserve.io/s3-endpoint."
        )
    store["virtual_hosted_style_request"] = _true(env, "S3_USER_VIRTUAL_BUCKET")
    if _true(env, "awsAnonymousCredential"):
        store = {key: value for key, value in store.items() if key not in _S3.values()}
        store["skip_signature"] = True
    if env.get("S3_VERIFY_SSL", "1").lower() in ("0", "false"):
        client["allow_invalid_certificates"] = True
    certificate = env.get("ROUSE_S3_CERTIFICATE") or _file(env.get("AWS_CA_BUNDLE", ""))
    if certificate:
        client["root_certificate"] = certificate
    return store, client


def gs_options(env: Mapping[str, str]) -> tuple[Options, Options]:
    """As `s3_options`, for Google Cloud Storage; without credentials requests are not signed."""
    env = with_entry(env, "gs")
    store: Options = {}
    client: Options = {}
    if env.get("ROUSE_GS_ACCOUNT_BASE64"):
        try:
            account = base64.b64decode(env["ROUSE_GS_ACCOUNT_BASE64"], validate=True).decode()
        except (binascii.Error, UnicodeError):
            raise StorageError("base64_service_account of storage-config is no base64.") from None
        store["service_account_key"] = account
    elif env.get("ROUSE_GS_ACCOUNT"):
        store["service_account_key"] = env["ROUSE_GS_ACCOUNT"]
    elif env.get("GOOGLE_APPLICATION_CREDENTIALS"):
        store["application_credentials"] = env["GOOGLE_APPLICATION_CREDENTIALS"]
    if _true(env, "ROUSE_GS_ANONYMOUS"):
        store = {}
    if not store:
        store["skip_signature"] = True
    endpoint = env.get("STORAGE_EMULATOR_HOST")
    if endpoint:
        endpoint = endpoint if "://" in endpoint else f"http://{endpoint}"
        store["base_url"] = endpoint.rstrip("/")
        client["allow_http"] = endpoint.startswith("http://")
    return store, client


def azure_options(env: Mapping[str, str], account: str) -> tuple[Options, Options]:
    """As `s3_options`, for Azure's blobs of an account (empty: the one that the variables name)."""
    env = with_entry(env, "azure")
    for older, name in _AZURE_OLDER.items():
        if env.get(older) and not env.get(name):
            env[name] = env[older]
    store: Options = {name: env[key] for key, name in _AZURE.items() if env.get(key)}
    if account:
        store["account_name"] = account
    if not store.get("account_name"):
        raise StorageError(
            "an Azure location without an account needs the variable AZURE_ACCOUNT_NAME; or write "
            "https://ACCOUNT.blob.core.windows.net/CONTAINER/PATH."
        )
    if _AZURE_KEYS.isdisjoint(store):
        store["skip_signature"] = True
    client: Options = {"allow_http": str(store.get("endpoint", "")).startswith("http://")}
    return store, client


def _true(env: Mapping[str, str], name: str) -> bool:
    return env.get(name, "").lower() in ("1", "true", "yes")


def _file(path: str) -> str:
    if not path:
        return ""
    try:
        with open(path, encoding="ascii") as file:
            return file.read()
    except (OSError, UnicodeError) as error:
        raise StorageError(f"AWS_CA_BUNDLE: {path} cannot be read: {error}.") from error
