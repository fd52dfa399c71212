"""A node's request to start a predictor: its form, and a process's step into the role."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import orjson

__all__ = ["DATAGRAM", "MAX_FDS", "MalformedError", "Spawn", "id_of", "parse"]

DATAGRAM: Final = 64 * 1024
MAX_FDS: Final = 8


class MalformedError(Exception):
    """A datagram that is no spawn request."""


@dataclass(frozen=True)
class Spawn:
    """Start a predictor; `fds` are its stdout, its stderr and its listening socket.

    With a `module` it is no predictor: that package's own `cli.main` runs.
    """

    id: str
    args: list[str]
    env: dict[str, str]
    cwd: str
    fds: tuple[int, int, int]
    module: str = ""

    def adopt(self) -> None:
        """Give this process the descriptors, folder and environment of the request."""
        stdout, stderr, listener = self.fds
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.dup2(stdout, 1)
        os.dup2(stderr, 2)
        for fd in (null, stdout, stderr):
            os.close(fd)
        os.chdir(self.cwd)
        os.environ.clear()
        os.environ.update(self.env)
        os.environ["ROUSE_LISTEN_FD"] = str(listener)
        random = sys.modules.get("numpy.random")
        if random is not None:
            # Python reseeds its own generator after a fork; numpy's would repeat in every child.
            random.seed()


def parse(data: bytes, fds: Sequence[int]) -> Spawn:
    """The request of a datagram. Raises `MalformedError` saying what is wrong with it."""
    try:
        message = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise MalformedError(f"not JSON: {error}") from None
    if not isinstance(message, dict) or message.get("type") != "spawn":
        raise MalformedError('a message of type "spawn" is expected')
    if len(fds) != 3:
        raise MalformedError(f"3 file descriptors are expected, got {len(fds)}")
    name, cwd = message.get("id"), message.get("cwd")
    if not isinstance(name, str) or not isinstance(cwd, str):
        raise MalformedError("id and cwd must be strings")
    args, env = message.get("args"), message.get("env")
    if not isinstance(args, list) or not all(isinstance(item, str) for item in args):
        raise MalformedError("args must be a list of strings")
    if not isinstance(env, dict) or not all(isinstance(item, str) for item in env.values()):
        raise MalformedError("env must be an object of strings")
    module = message.get("module", "")
    if not isinstance(module, str):
        raise MalformedError("module must be a string")
    return Spawn(name, args, env, cwd, (fds[0], fds[1], fds[2]), module)


def id_of(data: bytes) -> str | None:
    """The id in a datagram that may be malformed, for the answer to it."""
    try:
        message = orjson.loads(data)
    except orjson.JSONDecodeError:
        return None
    name = message.get("id") if isinstance(message, dict) else None
    return name if isinstance(name, str) else None
