"""CloudEvents 1.0, as KServe's agent sends them, in their binary and their JSON form. Pure."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote

import orjson

from predictors.serving.protocols import Headers

__all__ = ["REQUEST", "RESPONSE", "Event", "redacted_headers"]

REQUEST: Final = "org.kubeflow.serving.inference.request"
RESPONSE: Final = "org.kubeflow.serving.inference.response"

_OVERHEAD: Final = 1024
_SECRET: Final = frozenset(
    {
        "authorization",
        "cookie",
        "proxy-authorization",
        "set-cookie",
        "x-api-key",
        "x-auth-token",
        "x-forwarded-client-cert",
    }
)
# What a header may hold as it is: printable ASCII but for the quote, the percent sign and spaces.
_PLAIN: Final = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"%')


@dataclass(frozen=True, slots=True)
class Event:
    """One request or answer. `attributes` are CloudEvents' extensions; empty ones are left out.

    `convert` makes of `data` what is sent, where that is not the data itself; it is called where
    events are sent, not where they are made.
    """

    id: str
    type: str
    source: str
    time_ns: int
    content_type: str
    data: bytes
    attributes: Mapping[str, str] = field(default_factory=dict)
    convert: Callable[[bytes], bytes] | None = None

    @property
    def size(self) -> int:
        """About how many bytes of memory it takes."""
        return len(self.data) + _OVERHEAD

    @property
    def time(self) -> str:
        """When it happened, as RFC 3339 wants it."""
        moment = datetime.fromtimestamp(self.time_ns / 1e9, UTC)
        return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")

    def body(self) -> bytes:
        """The data as it is sent."""
        return self.data if self.convert is None else self.convert(self.data)

    def context(self) -> dict[str, str]:
        """All attributes, without the data."""
        told = {
            "specversion": "1.0",
            "id": self.id,
            "type": self.type,
            "source": self.source,
            "time": self.time,
            "datacontenttype": self.content_type,
        }
        return {**told, **{name: value for name, value in self.attributes.items() if value}}

    def headers(self) -> dict[str, str]:
        """The headers of HTTP's binary mode; the body is the data."""
        told = self.context()
        content_type = told.pop("datacontenttype")
        headers = {f"ce-{name}": quote(value, safe=_PLAIN) for name, value in told.items()}
        return {**headers, "content-type": content_type}

    def structured(self) -> dict[str, Any]:
        """The event in CloudEvents' JSON form: JSON data as it is, other text as text, else base64.

        Data that claims to be JSON and is not is text or base64 as well.
        """
        told: dict[str, Any] = self.context()
        body = self.body()
        if "json" in self.content_type or "form-urlencoded" in self.content_type:
            try:
                orjson.loads(body)
                told["data"] = orjson.Fragment(body)
                return told
            except orjson.JSONDecodeError:
                pass
        try:
            told["data"] = body.decode()
        except UnicodeDecodeError:
            told["data_base64"] = base64.b64encode(body).decode()
        return told


def redacted_headers(headers: Headers, wanted: tuple[str, ...]) -> dict[str, str]:
    """The headers wanted, of those that are there; credentials as three stars."""
    found = {name: value for name in wanted if (value := headers.get(name))}
    return {name: "***" if name in _SECRET else value for name, value in found.items()}
