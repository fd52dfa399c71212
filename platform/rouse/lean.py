"""Imported first by Rouse's own processes: keeps out of them what they never use.

httpx imports its command line, with rich and pygments, wherever those happen to be installed: 60 ms
and 6 MB in every process. It does without when that import fails. Programs that use the SDK are
left alone: this is for entry points only.
"""

from __future__ import annotations

import sys

sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]
