"""The synchronous client: the asynchronous one, run on a loop of its own thread."""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, Self

from anyio.from_thread import start_blocking_portal

from rouse.kube.objects import Object
from rouse.kube.resources import INFERENCE_SERVICES, Resource
from rouse.sdk.aio import AsyncClient
from rouse.sdk.applied import Applied
from rouse.sdk.documents import Source
from rouse.sdk.requests import Prediction

__all__ = ["Client"]


class Client:
    """Deploy, watch and call InferenceServices from ordinary code.

    ::

        rouse = Client()
        rouse.apply("examples/iris/isvc.yaml")
        rouse.wait_ready("iris")
        print(rouse.predict("iris", [[5.1, 3.5, 1.4, 0.2]]))

    Finds the engine of this machine, or the cluster of the current kubeconfig. Close it, or use
    it as a context manager, to give the connections back early.
    """

    def __init__(
        self,
        kubeconfig: Path | str | None = None,
        *,
        gateway: str | None = None,
        namespace: str | None = None,
    ) -> None:
        with ExitStack() as stack:
            self._portal = stack.enter_context(start_blocking_portal())
            make = partial(AsyncClient, kubeconfig, gateway=gateway, namespace=namespace)
            self._client = self._portal.call(_construct, make)
            stack.callback(self._portal.call, self._client.aclose)
            # Also at exit: a portal that is collected after its thread ended waits for ever.
            self._close = weakref.finalize(self, stack.pop_all().close)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections and end the loop's thread."""
        self._close()

    def apply(self, source: Iterable[Source] | Source, *, force: bool = False) -> list[Applied]:
        """See `AsyncClient.apply`."""
        return self._portal.call(partial(self._client.apply, source, force=force))

    def delete(self, source: Iterable[Source] | Source) -> list[Object]:
        """See `AsyncClient.delete`."""
        return self._portal.call(self._client.delete, source)

    def get(self, name: str, namespace: str | None = None) -> Object:
        """See `AsyncClient.get`."""
        return self._portal.call(self._client.get, name, namespace)

    def services(self, namespace: str | None = None) -> list[Object]:
        """See `AsyncClient.services`."""
        return self._portal.call(self._client.services, namespace)

    def wait_ready(
        self,
        name: str,
        namespace: str | None = None,
        *,
        timeout_s: float = 300.0,
        resource: Resource = INFERENCE_SERVICES,
    ) -> Object:
        """See `AsyncClient.wait_ready`."""
        wait = self._client.wait_ready
        return self._portal.call(
            partial(wait, name, namespace, timeout_s=timeout_s, resource=resource)
        )

    def predict(
        self,
        name: str,
        payload: Any,
        namespace: str | None = None,
        *,
        resource: Resource = INFERENCE_SERVICES,
    ) -> Any:
        """See `AsyncClient.predict`."""
        return self.request(name, payload, namespace, resource=resource).body

    def request(
        self,
        name: str,
        payload: Any,
        namespace: str | None = None,
        *,
        resource: Resource = INFERENCE_SERVICES,
    ) -> Prediction:
        """See `AsyncClient.request`."""
        request = partial(self._client.request, name, payload, namespace, resource=resource)
        answer: Prediction = self._portal.call(request)
        return answer


async def _construct(make: partial[AsyncClient]) -> AsyncClient:
    # httpx binds its pools to the running loop: made where it is used.
    return make()
