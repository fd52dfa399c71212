"""The Secret of the API keys of an InferenceService or InferenceGraph, read and written."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeVar

from rouse.api.apikeys import (
    KEY_PREFIX,
    LABEL,
    Key,
    default_secret,
    encode_hashes,
    hash_of,
    parse_keys,
)
from rouse.api.inferenceservice.annotations import API_KEYS, AUTH, parse_auth
from rouse.compiler.config import Config
from rouse.errors import ConflictError, InvalidError, NotFoundError
from rouse.kube.client import KubeClient
from rouse.kube.config import connect
from rouse.kube.objects import Key as ObjectKey
from rouse.kube.objects import Object
from rouse.kube.resources import INFERENCE_GRAPHS, INFERENCE_SERVICES, SECRETS
from rouse.sdk.connection import locate
from rouse.sdk.live import live_config

__all__ = ["KeyStore", "add_key", "remove_keys"]

T = TypeVar("T")

_NAME: Final = re.compile(r"[A-Za-z0-9]([-._A-Za-z0-9]{0,61}[A-Za-z0-9])?")
_BYTES: Final = 32
_ATTEMPTS: Final = 5


def add_key(secret: Object, name: str, text: str, *, rotate: bool) -> Object:
    """Return the Secret with one more key; a rotation keeps the newest one of that name too.

    Raises InvalidError where the name is taken and nothing is to be rotated.
    """
    data = dict(secret.get("data") or {})
    before = parse_keys({name: data[name]})[0] if name in data else ()
    if before and not rotate:
        raise InvalidError(
            f'there is a key "{name}" already: --rotate makes a second one that is valid beside '
            f"it, --key gives another name"
        )
    new = Key(name, bytes.fromhex(hash_of(text).partition(":")[2]))
    data[name] = encode_hashes([*before[-1:], new])
    return {**secret, "data": data}


def remove_keys(secret: Object, name: str, *, old: bool) -> tuple[Object, int]:
    """Return the Secret without the keys of a name, or without all but its newest; and how many.

    Raises InvalidError where there is none.
    """
    data = dict(secret.get("data") or {})
    if name not in data:
        known = ", ".join(sorted(data)) or "none"
        raise InvalidError(f'there is no key "{name}"; there are: {known}')
    before = parse_keys({name: data.pop(name)})[0]
    kept = before[-1:] if old else ()
    if kept:
        data[name] = encode_hashes(kept)
    return {**secret, "data": data}, len(before) - len(kept)


class KeyStore:
    """Keys by InferenceService. Every method raises ApiError, and InvalidError for a bad name."""

    def __init__(self, kubeconfig: Path | None = None, namespace: str | None = None) -> None:
        self._cluster = locate(kubeconfig).cluster
        self._namespace = namespace or self._cluster.namespace
        self._runner = asyncio.Runner()
        self.asked_for = False
        """Whether the InferenceService or InferenceGraph last looked at asks for keys."""
        self.exists = False
        """Whether it is there."""
        self.kind = INFERENCE_SERVICES.kind
        """What it is."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._runner.close()

    def create(self, service: str, name: str, *, rotate: bool = False) -> tuple[str, ObjectKey]:
        """Make a key of 256 random bits; return it and the Secret that has its hash."""
        if not _NAME.fullmatch(name):
            raise InvalidError(f'"{name}" cannot name a key: letters, digits, - . _, up to 63')
        text = KEY_PREFIX + secrets.token_urlsafe(_BYTES)

        async def work(client: KubeClient) -> ObjectKey:
            where = await self._secret_of(client, service)
            await _changed(client, where, lambda one: add_key(one, name, text, rotate=rotate))
            return where

        return text, self._run(work)

    def list(self, service: str) -> tuple[tuple[Key, ...], tuple[str, ...]]:
        """Return the keys, and the names of entries that hold none."""

        async def work(client: KubeClient) -> tuple[tuple[Key, ...], tuple[str, ...]]:
            where = await self._secret_of(client, service)
            live = await _live(client, where)
            return parse_keys((live or {}).get("data") or {})

        return self._run(work)

    def revoke(self, service: str, name: str, *, old: bool = False) -> tuple[int, ObjectKey]:
        """Take keys out of the Secret; return how many, and the Secret."""
        counts: list[int] = []

        def without(secret: Object) -> Object:
            changed, count = remove_keys(secret, name, old=old)
            counts.append(count)
            return changed

        async def work(client: KubeClient) -> ObjectKey:
            where = await self._secret_of(client, service)
            await _changed(client, where, without)
            return where

        where = self._run(work)
        return counts[-1], where

    def _run(self, work: Callable[[KubeClient], Awaitable[T]]) -> T:
        async def connected() -> T:
            async with connect(self._cluster) as client:
                return await work(client)

        return self._runner.run(connected())

    async def _secret_of(self, client: KubeClient, service: str) -> ObjectKey:
        """Return the Secret that the policies name; the InferenceService may come later."""
        settings = await live_config(client) or Config()
        live = await self._protected(client, service)
        self.exists = live is not None
        self.kind = live["kind"] if live is not None else INFERENCE_SERVICES.kind
        annotations = (live or {"metadata": {}})["metadata"].get("annotations") or {}
        given = annotations.get(AUTH)
        default = settings.auth.default == "api-key" or API_KEYS in annotations
        self.asked_for = default if given is None else "api-key" in parse_auth(given)
        name = annotations.get(API_KEYS) or settings.auth.api_keys.secret
        return ObjectKey(self._namespace, name or default_secret(service))

    async def _protected(self, client: KubeClient, name: str) -> Object | None:
        """Return the InferenceService of the name, else the InferenceGraph."""
        for resource in (INFERENCE_SERVICES, INFERENCE_GRAPHS):
            try:
                return await client.get(resource, name, self._namespace)
            except NotFoundError:
                continue
        return None


async def _changed(
    client: KubeClient, where: ObjectKey, change: Callable[[Object], Object]
) -> None:
    """Change a Secret as it is then; somebody else's change in between begins it anew."""
    for attempt in range(1, _ATTEMPTS + 1):
        live = await _live(client, where)
        try:
            if live is None:
                await client.create(change(_empty(where)))
            else:
                labels = {**(live["metadata"].get("labels") or {}), LABEL: "true"}
                metadata = {**live["metadata"], "labels": labels}
                await client.replace(change({**live, "metadata": metadata}))
        except ConflictError:
            if attempt == _ATTEMPTS:
                raise
        else:
            return


async def _live(client: KubeClient, where: ObjectKey) -> Object | None:
    try:
        return await client.get(SECRETS, where.name, where.namespace)
    except NotFoundError:
        return None


def _empty(where: ObjectKey) -> Object:
    metadata = {"name": where.name, "namespace": where.namespace, "labels": {LABEL: "true"}}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque"}
