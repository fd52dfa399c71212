"""What a standby is told to serve, and the record of it that outlives its process."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Self

import orjson

__all__ = ["Assignment", "MalformedError", "recall", "record"]

_RECORD: Final = "assignment.json"
_REFUSED_FLAGS: Final = {
    "--standby": "it stands by already",
    "--warm": "it stands by already",
    "--workers": "workers are forked, and what is imported here may have threads",
}
_OWN_VARIABLES: Final = "ROUSE_STANDBY_"
_TAKEN: Final = ("STORAGE_URI", "PREDICT_PROBA")
_TAKEN_PREFIXES: Final = ("ROUSE_", "OTEL_")


class MalformedError(ValueError):
    """No assignment, or one that this process must not follow."""


@dataclass(frozen=True)
class Assignment:
    """Serve as `service`: the flags of a predictor, and variables beside those of the process."""

    pod: str
    """The uid of the pod that is meant, so that nobody can give it to another."""
    service: str
    args: tuple[str, ...]
    env: dict[str, str]

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Read JSON. Raises `MalformedError` saying what is wrong with it."""
        try:
            said: Any = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise MalformedError(f"not JSON: {error}") from None
        if not isinstance(said, dict) or said.keys() != {"pod", "service", "args", "env"}:
            raise MalformedError("an object of pod, service, args and env is expected")
        pod, service, args, env = said["pod"], said["service"], said["args"], said["env"]
        if not isinstance(pod, str) or not pod or not isinstance(service, str):
            raise MalformedError("pod and service must be strings")
        if not isinstance(args, list) or not all(isinstance(each, str) for each in args):
            raise MalformedError("args must be a list of strings")
        if not isinstance(env, dict) or not all(isinstance(each, str) for each in env.values()):
            raise MalformedError("env must be an object of strings")
        _check(args, env)
        return cls(pod, service, tuple(args), env)


def record(folder: Path, assignment: Assignment) -> None:
    """Keep the assignment for a restart of the container. Raises OSError."""
    unfinished = folder / f"{_RECORD}.new"
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "wb") as file:
        file.write(orjson.dumps(asdict(assignment)))
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(folder / _RECORD)


def recall(folder: Path) -> Assignment | None:
    """The assignment of a process before this one. Raises `MalformedError` for a damaged record."""
    try:
        return Assignment.parse((folder / _RECORD).read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise MalformedError(str(error)) from error


def _check(args: Sequence[str], env: dict[str, str]) -> None:
    for arg in args:
        reason = _REFUSED_FLAGS.get(arg.partition("=")[0])
        if reason is not None:
            raise MalformedError(f"args: {arg} cannot be given to a standby: {reason}")
    for name in env:
        known = name in _TAKEN or name.startswith(_TAKEN_PREFIXES)
        if not known or name.startswith(_OWN_VARIABLES):
            raise MalformedError(f"env: {name} is not read late enough to be given to a standby")
