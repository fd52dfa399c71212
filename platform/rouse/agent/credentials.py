"""What opens a model's origin, for the length of one fetch.

A cache names a ServiceAccount or an entry of storage-config, and the compiler's rules say what
these give a container. Here they give it to the storage process: values as variables, files in a
folder that goes with it. They are read by name, when they are needed, from one namespace: the one
of a LocalModelNamespaceCache, else the agents' own. Nothing of them is kept, and no Secret is
listed.
"""

from __future__ import annotations

import base64
from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from rouse.agent.plan import source_of
from rouse.api.base import Object
from rouse.compiler.config import Config
from rouse.compiler.errors import CompileError
from rouse.compiler.storage.credentials import Access, access_of
from rouse.compiler.storage.entry import check_entry, entry_env
from rouse.compiler.storage.facts import Facts, secret_keys, secret_text
from rouse.compiler.storage.spec import Entry
from rouse.errors import EngineError, NotFoundError, RejectedError
from rouse.kube.client import KubeClient
from rouse.kube.resources import CONFIG_MAPS, RESOURCES, SECRETS, Resource

__all__ = ["NAMESPACE", "Credentials", "CredentialsError", "Keyring", "credentials_of", "scope_of"]

NAMESPACE: Final = "rouse-node-agents"
"""Where the credentials of LocalModelCaches are; KServe's is that of its download jobs."""
SERVICE_ACCOUNTS: Final = RESOURCES["v1", "ServiceAccount"]
_ROLE: Final = "rouse-node-agent-credentials"
_HDFS: Final = ("HDFS_NAMENODE", "HDFS_ROOTPATH")


class CredentialsError(EngineError):
    """The ServiceAccount or entry that a cache names is not there, or may not be read."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What opens a model, by name."""

    namespace: str
    account: str = ""
    entry: Entry | None = None
    """Of storage-config; with one the account does not count, as in an InferenceService."""


def credentials_of(models: Iterable[Object], own: str = NAMESPACE) -> dict[str, Credentials]:
    """Return source -> credentials of a LocalModelNode's models, those that name some.

    ``own`` is the namespace of the caches that have none. Of several in one namespace that name
    some for one location the first counts: they fetch one copy.
    """
    found: dict[str, Credentials] = {}
    for model in models:
        account, storage = model.get("serviceAccountName") or "", model.get("storage")
        if account or storage:
            entry = None
            if storage:
                entry = Entry(storage.get("key") or "", storage.get("parameters") or {})
            namespace = model.get("namespace") or own
            source = source_of(model["sourceModelUri"], scope_of(model))
            found.setdefault(source, Credentials(namespace, account, entry))
    return found


def scope_of(model: Object) -> str:
    """The namespace that alone may have what a model's own credentials open; empty: none."""
    named = model.get("serviceAccountName") or model.get("storage")
    return (model.get("namespace") or "") if named else ""


class Keyring:
    """Reads credentials from the API."""

    def __init__(self, client: KubeClient, config: Config | None = None) -> None:
        self._client = client
        self._config = config or Config()

    @asynccontextmanager
    async def opened(
        self, credentials: Credentials | None
    ) -> AsyncGenerator[Mapping[str, str] | None, None]:
        """Yield the variables of a process that fetches with these; None for None.

        Files that they name are there until the block ends, for this user only. Raises
        `CredentialsError`, and `ApiError` when the API does not answer.
        """
        if credentials is None:
            yield None
            return
        reading = _Reading(self._client, credentials.namespace)
        access = await self._access(credentials, reading)
        with TemporaryDirectory(prefix="rouse-credentials-") as folder:
            yield await _variables(access, reading, Path(folder))

    async def _access(self, credentials: Credentials, reading: _Reading) -> Access:
        if credentials.entry is not None:
            try:
                check_entry(credentials.entry)
            except CompileError as error:
                raise CredentialsError(error.message) from error
            secret = self._config.credentials.storage_spec_secret_name
            return Access(tuple(entry_env(credentials.entry, secret)))
        name = credentials.account
        account = await reading.get(SERVICE_ACCOUNTS, name)
        if account is None:
            raise CredentialsError(reading.why(SERVICE_ACCOUNTS, name))
        listed = [each.get("name", "") for each in account.get("secrets") or ()]
        secrets = {each: await reading.get(SECRETS, each) for each in listed if each}
        there = {each: secret for each, secret in secrets.items() if secret is not None}
        access = access_of(name, {}, Facts({name: account}, there), self._config)
        if secrets and not there:
            # Each may be something else's, such as a registry's; but all of them missing is no
            # accident.
            raise CredentialsError(reading.why(SECRETS, next(iter(secrets))))
        return access


@dataclass(slots=True)
class _Reading:
    """What was read of one namespace for one fetch; its repr shows no Secret."""

    client: KubeClient
    namespace: str
    _found: dict[tuple[str, str], Object] = field(default_factory=dict, repr=False)
    _forbidden: set[tuple[str, str]] = field(default_factory=set)

    async def get(self, resource: Resource, name: str) -> Object | None:
        """Return an object; None where it is not there or may not be read."""
        key = (resource.kind, name)
        if key not in self._found and key not in self._forbidden:
            try:
                self._found[key] = await self.client.get(resource, name, self.namespace)
            except NotFoundError:
                return None
            except RejectedError as error:
                if error.status != HTTPStatus.FORBIDDEN:
                    raise
                self._forbidden.add(key)
        return self._found.get(key)

    def why(self, resource: Resource, name: str) -> str:
        """Say why an object was not had, and what to do."""
        what = f"{resource.kind} {self.namespace}/{name}"
        if (resource.kind, name) in self._forbidden:
            return (
                f"the agent may not read {what}: bind the ClusterRole {_ROLE} to its "
                f"ServiceAccount in {self.namespace}"
            )
        return f"{what}, which the cache names, does not exist"


async def _variables(access: Access, reading: _Reading, folder: Path) -> dict[str, str]:
    """Return the variables with their values; what would be mounted is written to ``folder``."""
    places: dict[str, str] = {}
    said: dict[str, str] = {}
    volumes = {each["name"]: each for each in access.volumes}
    for number, mount in enumerate(access.mounts):
        place = folder / str(number)
        place.mkdir(mode=0o700)
        said |= await _unpack(volumes[mount["name"]], reading, place)
        places[mount["mountPath"].rstrip("/")] = str(place)
    for variable in access.env:
        value = variable.get("value")
        if value is None:
            value = await _value(variable["valueFrom"]["secretKeyRef"], reading)
        if value is not None:
            said[variable["name"]] = _moved(value, places)
    return said


async def _value(reference: Mapping[str, Any], reading: _Reading) -> str | None:
    name, key = reference["name"], reference["key"]
    secret = await reading.get(SECRETS, name)
    if secret is not None and key in secret_keys(secret):
        return secret_text(secret, key)
    if reference.get("optional"):
        return None
    if secret is None:
        raise CredentialsError(reading.why(SECRETS, name))
    raise CredentialsError(f'Secret {reading.namespace}/{name} has no key "{key}"')


async def _unpack(volume: Object, reading: _Reading, folder: Path) -> dict[str, str]:
    """Write a volume's files; return what WebHDFS, which is told by files, takes as variables."""
    secret = volume.get("secret")
    resource = SECRETS if secret else CONFIG_MAPS
    name = secret["secretName"] if secret else volume["configMap"]["name"]
    found = await reading.get(resource, name)
    if found is None:
        raise CredentialsError(reading.why(resource, name))
    for key, content in _contents(found):
        file = folder / key
        file.touch(mode=0o600)
        file.write_bytes(content)
    keys = secret_keys(found) if secret else frozenset()
    return {key: secret_text(found, key) for key in _HDFS if key in keys}


def _contents(found: Object) -> Iterator[tuple[str, bytes]]:
    """The files of a Secret or ConfigMap. Their keys hold no slash, as the API sees to."""
    plain = found["kind"] == "ConfigMap"
    for key, value in (found.get("data") or {}).items():
        yield key, value.encode() if plain else base64.b64decode(value)
    for key, value in (found.get("binaryData") or {}).items():
        yield key, base64.b64decode(value)


def _moved(value: str, places: Mapping[str, str]) -> str:
    """A path below a mount, where its files are now."""
    for mounted, place in places.items():
        if value == mounted or value.startswith(f"{mounted}/"):
            return place + value.removeprefix(mounted)
    return value
