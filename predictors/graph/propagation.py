"""Which headers of a request its steps get."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping
from typing import Final

from predictors.graph.hops import HOPS_HEADER, next_hop
from predictors.graph.patterns import compile_pattern
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
        HOPS_HEADER,
        LINEAGE_HEADER,
        "x-request-timeout-ms",
    }
)
_KNOWN_NAMES: Final = 1024


class Propagation:
    """The trace, the request's id and the side of a canary always; beyond that what is asked for.

    Patterns are KServe's: regular expressions that may match anywhere in a name as Go writes it,
    like X-Tenant-Id. Here the name in lower case may match as well. One that cannot be read is left
    out, with a line in the log.
    """

    def __init__(self, patterns: Iterable[str] = ()) -> None:
        self._patterns = [each for text in patterns for each in _compiled(text.strip())]
        self._known = {**dict.fromkeys(PASSED_ON, True), **dict.fromkeys(_OWN, False)}
        self.takes_content_type = self._matches("content-type")
        """Whether the content type that a client says is passed on whatever it is."""

    def chosen(self, headers: Mapping[str, str], *, traced: bool = False) -> bytes:
        """The lines for every step, of a request's headers with names in lower case.

        Those of the trace are left out where it is `traced` here: its steps have their own. Raises
        `LoopError`.
        """
        # What a client calls its connection's own goes no further.
        connection = headers.get("connection")
        dropped = _listed(connection) if connection else ()
        lines = [
            f"{name}: {value}\r\n"
            for name, value in headers.items()
            if self._passes(name) and not (traced and name in _TRACE) and name not in dropped
        ]
        lineage = lineage_of(headers)
        if lineage is not None:
            lines.append(f"{LINEAGE_HEADER}: {lineage}\r\n")
        return "".join(lines).encode("latin-1", "replace") + next_hop(headers)

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


def _listed(names: str) -> frozenset[str]:
    return frozenset(each.strip().lower() for each in names.split(","))


def _compiled(text: str) -> list[re.Pattern[str]]:
    if not text:
        return []
    try:
        return [compile_pattern(text)]
    except re.error as error:
        _log.warning("PROPAGATE_HEADERS: %r is left out, for it cannot be read: %s", text, error)
        return []
