"""Calls of webhooks over HTTPS, bounded in time, number and size."""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING, Final

from rouse.embedded.apiserver.webhooks.configurations import MOST_S, Hook
from rouse.errors import RouseError

if TYPE_CHECKING:
    import httpx

__all__ = ["CallError", "Calls"]

_MOST_CALLS: Final = 32
_MOST_CLIENTS: Final = 16
_MOST_BYTES: Final = 8 << 20


class CallError(RouseError):
    """A webhook could not be asked; the text says why."""


class Calls:
    """Asks webhooks; connections are kept, one pool for each set of authorities."""

    def __init__(self) -> None:
        self._clients: dict[str, httpx.AsyncClient] = {}
        self._running = asyncio.Semaphore(_MOST_CALLS)

    async def ask(self, hook: Hook, body: bytes) -> bytes:
        """POST a review and return the answer's body; raises CallError within the time it has."""
        # httpx is not needed by a server that nobody gave a webhook.
        import httpx

        try:
            async with asyncio.timeout(hook.timeout_s), self._running:
                client = await self._client(hook.ca)
                params = {"timeout": f"{hook.timeout_s}s"}
                headers = {"content-type": "application/json", "accept": "application/json"}
                sent = client.stream("POST", hook.url, params=params, headers=headers, content=body)
                async with sent as response:
                    answer = await _read(response)
        except TimeoutError as error:
            raise CallError(f"no answer within {hook.timeout_s} s") from error
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise CallError(str(error) or type(error).__name__) from error
        if response.status_code != httpx.codes.OK:
            raise CallError(f"it answers HTTP {response.status_code}")
        return answer

    async def stop(self) -> None:
        """Close every connection."""
        clients, self._clients = list(self._clients.values()), {}
        for client in clients:
            await client.aclose()

    async def _client(self, ca: str) -> httpx.AsyncClient:
        import httpx

        found = self._clients.get(ca)
        if found is None:
            while len(self._clients) >= _MOST_CLIENTS:
                # The one that was made first; its authorities were probably renewed since.
                oldest = self._clients.pop(next(iter(self._clients)))
                await oldest.aclose()
            context = ssl.create_default_context(cadata=ca or None)
            found = self._clients[ca] = httpx.AsyncClient(
                verify=context, trust_env=False, timeout=MOST_S, follow_redirects=False
            )
        return found


async def _read(response: httpx.Response) -> bytes:
    parts = []
    size = 0
    async for part in response.aiter_bytes():
        size += len(part)
        if size > _MOST_BYTES:
            raise CallError(f"its answer is larger than {_MOST_BYTES} bytes")
        parts.append(part)
    return b"".join(parts)
