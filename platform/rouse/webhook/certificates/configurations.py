"""caBundle of the webhook configurations: which CA the API server is to trust."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from rouse.api.base import Object
from rouse.kube.client import KubeClient, PatchKind
from rouse.kube.informer import Informer, InformerOptions
from rouse.kube.objects import Key
from rouse.kube.resources import Resource

__all__ = ["MUTATING", "VALIDATING", "Configurations", "bundle_patch"]

_GROUP: Final = "admissionregistration.k8s.io"
VALIDATING: Final = Resource(
    _GROUP,
    "v1",
    "ValidatingWebhookConfiguration",
    "validatingwebhookconfigurations",
    namespaced=False,
)
MUTATING: Final = Resource(
    _GROUP,
    "v1",
    "MutatingWebhookConfiguration",
    "mutatingwebhookconfigurations",
    namespaced=False,
)


def bundle_patch(configuration: Mapping[str, Any], service: Key, bundle: bytes) -> list[Object]:
    """Return the JSON patch after which every webhook that calls ``service`` trusts ``bundle``.

    Empty when all do. The patch fails where the list of webhooks was changed meanwhile.
    """
    encoded = base64.b64encode(bundle).decode()
    return list(_operations(configuration, service, encoded))


def _operations(configuration: Mapping[str, Any], service: Key, encoded: str) -> Iterator[Object]:
    for index, webhook in enumerate(configuration.get("webhooks") or ()):
        client = webhook.get("clientConfig") or {}
        called = client.get("service") or {}
        is_ours = (called.get("namespace"), called.get("name")) == service
        if is_ours and client.get("caBundle") != encoded:
            at = f"/webhooks/{index}"
            yield {"op": "test", "path": f"{at}/name", "value": webhook.get("name")}
            yield {"op": "add", "path": f"{at}/clientConfig/caBundle", "value": encoded}


class Configurations:
    """Follows the two configurations of one name, and writes caBundle wherever it is not so."""

    def __init__(
        self, client: KubeClient, name: str, service: Key, changed: Callable[[], None]
    ) -> None:
        self._client = client
        self._key = Key("", name)
        self._service = service
        options = InformerOptions(fields=f"metadata.name={name}")
        self._informers = [
            Informer(client, resource, options=options) for resource in (VALIDATING, MUTATING)
        ]
        for informer in self._informers:
            informer.add_handler(lambda _event, _obj: changed())

    async def start(self) -> None:
        """Begin to follow; a webhook serves also where it may not see its configurations."""
        for informer in self._informers:
            await informer.start()

    async def stop(self) -> None:
        """Stop following."""
        for informer in self._informers:
            await informer.stop()

    def trust(self, bundle: bytes) -> bool:
        """Say whether every webhook trusts ``bundle``; no, as long as they were not seen."""
        is_known = all(informer.is_synced for informer in self._informers)
        return is_known and not any(patch for _, patch in self._patches(bundle))

    async def publish(self, bundle: bytes) -> None:
        """Write ``bundle`` where it is not; raises `ApiError`."""
        for resource, patch in self._patches(bundle):
            if patch:
                await self._client.patch(resource, self._key.name, patch, kind=PatchKind.JSON)

    def _patches(self, bundle: bytes) -> Iterator[tuple[Resource, list[Object]]]:
        for informer in self._informers:
            live = informer.get(self._key)
            if live is not None:
                yield informer.resource, bundle_patch(live, self._service, bundle)
