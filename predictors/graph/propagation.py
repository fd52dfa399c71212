"""Which headers of a request its steps get."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping
from typing import Final

from predictors.serving.passing import LINEAGE_HEADER, PASSED_ON, lineage_of

__all__ = ["Propagation"]

_log = logging.getLogger(__name__)

_TRACE: Final = frozenset({"traceparent", "tracestate"})
_OWN: Final = frozenset(
    {
        # Of this connection, or of the body, which has its own.
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "expect",
        "host",
        "inference-header-content-length",
        "keep-alive",
        "proxy-authenticate",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        # A compressed answer could not be looked into.
        "accept-encoding",
        # Of this router's revision: Knative's activator would send the step's request here.
        "knative-serving-namespace",
        "knative-serving-revision",
        # Checked, and passed on, on their own.
        LINEAGE_HEADER,
        "x-request-timeout-ms",
    }
)
_KNOWN_NAMES: Final = 1024


class Propagation:
    """The trace, the request's id and the side of a canary always; beyond that what is asked for.

    Patterns are KServe's: regular expressions that may match anywhere in a name as Go writes it,
    like X-Tenant-Id. Here the name in lower case may match as well. One that is no regular
    expression is left out, with a line in the log.
    """

    def __init__(self, patterns: Iterable[str] = ()) -> None:
        self._patterns = [each for text in patterns for each in _compiled(text.strip())]
        self._known = {**dict.fromkeys(PASSED_ON, True), **dict.fromkeys(_OWN, False)}
        self.takes_content_type = self._matches("content-type")
        """Whether the content type that a client says is passed on whatever it is."""

    def chosen(self, headers: Mapping[str, str], *, traced: bool = False) -> bytes:
        """The lines for every step, of a request's headers with names in lower case.

        Those of the trace are left out where it is `traced` here: its steps have their own.
        """
        lines = [
            f"{name}: {value}\r\n"
            for name, value in headers.items()
            if self._passes(name) and not (traced and name in _TRACE)
        ]
        lineage = lineage_of(headers)
        if lineage is not None:
            lines.append(f"{LINEAGE_HEADER}: {lineage}\r\n")
        return "".join(lines).encode("latin-1", "replace")

    def _passes(self, name: str) -> bool:
        known = self._known.get(name)
        if known is None:
            known = self._matches(name)
            if len(self._known) < _KNOWN_NAMES:
                self._known[name] = known
        return known

    def _matches(self, name: str) -> bool:
        written = "-".join(word.capitalize() for word in name.split("-"))
        return any(each.search(written) or each.search(name) for each in self._patterns)


def _compiled(text: str) -> list[re.Pattern[str]]:
    if not text:
        return []
    try:
        return [re.compile(text)]
    except re.error as error:
        _log.warning("PROPAGATE_HEADERS: %r is no regular expression: %s", text, error)
        return []
