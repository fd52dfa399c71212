"""When a replica counts as failed, and how to tell why. Pure."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from typing import Final

import orjson

from rouse.embedded.knative.ports import PodState, Termination
from rouse.embedded.reasons import HOPELESS, Reason

__all__ = ["FAILED_CREATE", "Failure", "failure_of", "start_problem"]

FAILED_CREATE: Final = "FailedCreate"
"""Reason of a replica whose pod the API refuses, such as one beyond a quota."""

_LINES: Final = 10
_SIGNAL_BASE: Final = 128
"""Exit codes above it tell a signal, as in a shell."""
_GIVEN_UP_AT: Final = 3
"""Crashes in a row, none of them of a replica that was ready, after which nobody is kept waiting;
the first may have been bad luck."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a replica does not run. ``exit_code`` is None where no process ever ran.

    ``message`` holds the last log lines, or what the node says where there are none.
    """

    reason: str
    message: str
    exit_code: int | None = None

    @property
    def last_line(self) -> str:
        """The last line of the message."""
        lines = self.message.strip().splitlines()
        return lines[-1] if lines else ""


def failure_of(state: PodState | None) -> Failure | None:
    """The failure of a replica that is given up for now: crashes in a row, or no start.

    One that was ready could start: requests wait for it to do so again.
    """
    problem = start_problem(state)
    if problem is None or state is None:
        return None
    repeated = state.reason == Reason.CRASH_LOOP and state.crashes >= _GIVEN_UP_AT
    if state.phase == "Failed" or state.reason in HOPELESS or repeated:
        return problem
    return None


def start_problem(state: PodState | None) -> Failure | None:
    """What went wrong with a replica so far, its first crash included; None while all is well."""
    if state is None or state.ready:
        return None
    ended = _last_end(state)
    if ended is not None and (ended.exit_code != 0 or state.reason == Reason.CRASH_LOOP):
        message = _tail(state) or ended.message or state.message
        signal_line = _signal_line(ended.exit_code)
        if signal_line:
            message = f"{message}\n{signal_line}".strip()
        return Failure(f"ExitCode{ended.exit_code}", message, ended.exit_code)
    if state.phase == "Failed" or state.reason in HOPELESS or state.reason == Reason.CRASH_LOOP:
        message = state.message or _tail(state)
        return Failure(state.reason or "Failed", message)
    return None


def _signal_line(exit_code: int) -> str:
    """What the log cannot say: that a signal ended the process."""
    try:
        name = signal.Signals(exit_code - _SIGNAL_BASE).name
    except ValueError:
        return ""
    hint = " (kill -9, or out of memory)" if name == "SIGKILL" else ""
    return f"the process was ended by {name}{hint}"


def _tail(state: PodState) -> str:
    """The last log lines, of structured ones only what they say: their times change each try."""
    return "\n".join(_said(line) for line in state.log_tail[-_LINES:])


def _said(line: str) -> str:
    if not line.startswith("{"):
        return line
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError:
        return line
    message = record.get("message") if isinstance(record, dict) else None
    return message if isinstance(message, str) else line


def _last_end(state: PodState) -> Termination | None:
    for container in state.containers:
        ended = container.ended or container.last
        if ended is not None:
            return ended
    return None
