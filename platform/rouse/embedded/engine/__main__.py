"""`python -m rouse.embedded.engine`: the engine's process, as `rouse up` starts it."""

from __future__ import annotations

import time

_BEGAN = time.monotonic()

import argparse  # noqa: E402 - the clock starts before the imports it is to measure
import logging  # noqa: E402
import os  # noqa: E402
import sys  # noqa: E402
from pathlib import Path  # noqa: E402

import orjson  # noqa: E402
import uvloop  # noqa: E402

from rouse import lean  # noqa: E402, F401 - before anything that imports httpx
from rouse.embedded.engine.daemon import EngineOptions  # noqa: E402
from rouse.embedded.engine.engine import run  # noqa: E402
from rouse.embedded.home import Home  # noqa: E402
from rouse.errors import RouseError  # noqa: E402


def main() -> int:
    """Run until told to stop; the exit code."""
    parser = argparse.ArgumentParser(prog="rouse-engine", description=__doc__)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--api-port", type=int, required=True)
    parser.add_argument("--gateway-port", type=int, required=True)
    parser.add_argument("--warm", default="")
    parser.add_argument("--ready-fd", type=int, default=2)
    given = parser.parse_args()
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    logging.getLogger("httpx").setLevel(logging.WARNING)

    def tell(answer: dict[str, object]) -> None:
        os.write(given.ready_fd, orjson.dumps(answer) + b"\n")
        if given.ready_fd > 2:
            os.close(given.ready_fd)

    home = Home(given.home)
    home.prepare()
    warm = tuple(name for name in given.warm.split(",") if name)
    options = EngineOptions(given.api_port, given.gateway_port, warm)
    code = 0
    try:
        uvloop.run(run(home, options, began=_BEGAN, ready=lambda: tell({"ready": True})))
    except* RouseError as errors:
        leaves = _leaves(errors)
        for error in leaves:
            logging.error("%s", error)
        tell({"error": "; ".join(str(error) for error in leaves)})
        code = 1
    return code


def _leaves(group: BaseExceptionGroup[RouseError]) -> list[BaseException]:
    found: list[BaseException] = []
    for error in group.exceptions:
        found.extend(_leaves(error) if isinstance(error, BaseExceptionGroup) else [error])
    return found


if __name__ == "__main__":
    sys.exit(main())
