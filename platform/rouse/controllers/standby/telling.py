"""Speaking to a standby pod: one signed POST, then asking until its model answers."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Mapping
from typing import Any, Final

import httpx
import orjson

from rouse.controllers.standby.shape import Fit
from rouse.controllers.standby.signing import Signer
from rouse.kube.objects import Key, uid_of

__all__ = ["TellingError", "make_assignment", "tell"]

_PATH: Final = "/standby/v1/assignment"
_READY: Final = "/v2/health/ready"
_TIMEOUT_S: Final = 5.0
_OFTEN_S: Final = 0.02
_SELDOM_S: Final = 0.5
_MOST_TEXT: Final = 200


class TellingError(Exception):
    """A standby pod did not take its model; the text says why."""


def make_assignment(pod: Mapping[str, Any], deployment: Key, fit: Fit) -> bytes:
    """Return what the pod, and no other, is told to serve."""
    return orjson.dumps(
        {
            "pod": uid_of(pod),
            "service": str(deployment),
            "args": list(fit.handed.args),
            "env": dict(fit.handed.env),
        }
    )


async def tell(
    pod: Mapping[str, Any],
    deployment: Key,
    fit: Fit,
    signer: Signer,
    is_wanted: Callable[[], bool],
) -> None:
    """Give a pod its model and return once it answers for it.

    Raises TellingError when it refuses, cannot be reached, or is wanted no more meanwhile. How long
    it may take to load is for the caller to limit.
    """
    address = (pod.get("status") or {}).get("podIP", "")
    host = f"[{address}]" if ":" in address else address
    body = make_assignment(pod, deployment, fit)
    headers = {"rouse-signature": signer.sign(body), "content-type": "application/json"}
    async with httpx.AsyncClient(
        base_url=f"http://{host}:{fit.shape.port}",
        timeout=_TIMEOUT_S,
        trust_env=False,
        # Nothing is read from disk for a connection that has no TLS.
        verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
    ) as client:
        try:
            answer = await client.post(_PATH, content=body, headers=headers)
        except (httpx.HTTPError, OSError) as error:
            raise TellingError(
                f"it cannot be reached at {host}:{fit.shape.port} ({type(error).__name__}); is the "
                "controller kept from it by a NetworkPolicy or a mesh that wants mTLS?"
            ) from error
        if answer.status_code != httpx.codes.ACCEPTED:
            raise TellingError(f"it answered {answer.status_code}: {answer.text[:_MOST_TEXT]}")
        await _served(client, is_wanted)


async def _served(client: httpx.AsyncClient, is_wanted: Callable[[], bool]) -> None:
    loop = asyncio.get_running_loop()
    begun = loop.time()
    while True:
        try:
            if (await client.get(_READY)).status_code == httpx.codes.OK:
                return
        except (httpx.HTTPError, OSError):
            pass  # its container may start anew
        if not is_wanted():
            raise TellingError("somebody else serves by now, or nobody is to any more")
        await asyncio.sleep(_OFTEN_S if loop.time() - begun < 1 else _SELDOM_S)
