"""``self.send_request`` of ClearML's classes: asking another endpoint."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from http.client import HTTPException
from typing import Any, Final
from urllib.parse import quote
from urllib.request import Request, urlopen

import orjson

__all__ = ["BASE_URL", "sender"]

_log = logging.getLogger(__name__)

BASE_URL: Final = "CLEARML_DEFAULT_BASE_SERVE_URL"
_SECONDS: Final = 60.0

Sender = Callable[..., "dict[str, Any] | None"]


def sender(env: Mapping[str, str]) -> Sender:
    """What posts JSON to ``<base>/<endpoint>[/<version>]``; None is its answer for a failure.

    The base is that of CLEARML_DEFAULT_BASE_SERVE_URL. One that has ``{endpoint}`` in it is used as
    it is, e.g. ``http://{endpoint}.default.svc.cluster.local/v1/models/{endpoint}:predict``.
    """
    base = env.get(BASE_URL, "")

    def send_request(
        endpoint: str, version: str | None = None, data: Any = None
    ) -> dict[str, Any] | None:
        url = _url(base, endpoint, version)
        body = orjson.dumps(data, option=orjson.OPT_SERIALIZE_NUMPY)
        request = Request(url, body, {"Content-Type": "application/json"}, method="POST")  # noqa: S310 - checked by _url
        try:
            with urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310 - checked by _url
                told: dict[str, Any] | None = orjson.loads(answer.read())
                return told
        except (OSError, HTTPException, ValueError) as error:
            _log.warning("send_request to %s failed: %s", url, error)
            return None

    return send_request


def _url(base: str, endpoint: str, version: str | None) -> str:
    if not base.startswith(("http://", "https://")):
        raise RuntimeError(
            f"send_request({endpoint!r}): {BASE_URL} must be an http(s) URL, it is {base!r}."
        )
    name = quote(endpoint, safe="/")
    if "{endpoint}" in base:
        return base.replace("{endpoint}", name)
    return f"{base.rstrip('/')}/{name}" + (f"/{quote(version)}" if version else "")
