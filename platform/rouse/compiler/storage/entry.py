"""Entries of the Secret storage-config: how a container gets one, and what it says of a uri."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from rouse.api.base import Object
from rouse.api.inferenceservice.lifecycle import Reason
from rouse.compiler.config import Config
from rouse.compiler.errors import CompileError
from rouse.compiler.storage.facts import Facts, secret_keys, secret_text
from rouse.compiler.storage.names import SCHEME_PLACEHOLDER
from rouse.compiler.storage.spec import Entry

__all__ = ["check_entry", "entry_env", "resolved", "secret_of"]

_TYPES = ("s3", "hdfs", "webhdfs")
_WITH_BUCKET = ("s3",)
_SECRET_PARAMETERS = frozenset({"kerberos_keytab", "secret_access_key", "tls_key"})


def secret_of(annotations: Mapping[str, str], config: Config) -> str:
    """Return the name of the Secret that holds the entries."""
    names = config.credentials
    return annotations.get(names.storage_secret_name_annotation) or names.storage_spec_secret_name


def check_entry(entry: Entry) -> None:
    """Raise CompileError for parameters that mean nothing, or that belong into the Secret."""
    plain = sorted(_SECRET_PARAMETERS & entry.parameters.keys())
    if plain:
        raise _refused(
            f"storage.parameters.{plain[0]} would stand in plain text in the pod; put it into the "
            f'entry "{entry.secret_key}" of the storage Secret'
        )
    type_ = entry.parameters.get("type")
    if type_ is not None and type_ not in _TYPES:
        raise _refused(
            f'storage.parameters.type is "{type_}"; allowed: {", ".join(_TYPES)} (other locations '
            "are given as storageUri)"
        )


def entry_env(entry: Entry, secret: str) -> list[Object]:
    """Return the variables of a container that opens its storage by the entry.

    Only an entry that was named has to be there; the default ones need not.
    """
    reference: Object = {"name": secret, "key": entry.secret_key}
    if not entry.key:
        reference["optional"] = True
    env: list[Object] = [{"name": "STORAGE_CONFIG", "valueFrom": {"secretKeyRef": reference}}]
    if entry.parameters:
        given = orjson.dumps(dict(entry.parameters), option=orjson.OPT_SORT_KEYS).decode()
        env.append({"name": "STORAGE_OVERRIDE_CONFIG", "value": given})
    return env


def resolved(uri: str, entry: Entry, secret: str, facts: Facts) -> str:
    """Return the uri with the scheme and bucket that the live entry tells.

    Raises CompileError naming Secret and key where they, their type or their bucket are missing.
    """
    scheme, _, path = uri.partition("://")
    if scheme != SCHEME_PLACEHOLDER:
        return uri
    said = {**_live(entry, secret, facts), **entry.parameters}
    where = f'the entry "{entry.secret_key}" of the Secret "{secret}"'
    type_ = said.get("type", "")
    if type_ not in _TYPES:
        raise _refused(
            f'{where} has the type "{type_}"; allowed: {", ".join(_TYPES)}'
            if type_
            else f"neither {where} nor storage.parameters says a type ({', '.join(_TYPES)})"
        )
    if type_ not in _WITH_BUCKET:
        return f"{type_}://{path}"
    if not said.get("bucket"):
        raise _refused(f"neither {where} nor storage.parameters says a bucket")
    return f"{type_}://{said['bucket']}/{path}"


def _live(entry: Entry, secret: str, facts: Facts) -> dict[str, Any]:
    live = facts.secrets.get(secret)
    if live is None or entry.secret_key not in secret_keys(live):
        if entry.key:
            what = f'has no key "{entry.key}"' if live is not None else "does not exist"
            raise _refused(f'the Secret "{secret}", which storage.key names, {what}')
        return {}
    try:
        parsed = orjson.loads(secret_text(live, entry.secret_key))
    except orjson.JSONDecodeError:
        parsed = None
    if not isinstance(parsed, dict):
        raise _refused(f'the key "{entry.secret_key}" of the Secret "{secret}" is no JSON object')
    return parsed


def _refused(message: str) -> CompileError:
    return CompileError(Reason.INVALID_SPEC, message)
