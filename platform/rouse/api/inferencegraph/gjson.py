"""A light check of gjson paths, so that a typo is found on apply and not by a lost request."""

from __future__ import annotations

__all__ = ["explain_path"]

_CLOSING = {"(": ")", "[": "]", "{": "}"}


def explain_path(path: str) -> str | None:
    """Say what is wrong with a gjson path; None when brackets, quotes and dots are in order."""
    if not path.strip():
        return 'is empty; write a gjson path such as instances.#(age>30) or "[@this].#(kind==a)"'
    # Two dots in front mean JSON lines, a backslash takes a separator's meaning away.
    inner = path.removeprefix("..")
    if inner[:1] in (".", "|") or (inner[-1:] in (".", "|") and inner[-2:-1] != "\\"):
        return f'"{path}" starts or ends with a separator; a name is missing there'
    return _explain_brackets(path)


def _explain_brackets(path: str) -> str | None:
    waiting: list[str] = []
    quoted = escaped = False
    for at, char in enumerate(path):
        if escaped:
            escaped = False
        elif char == "\\":
            escaped = True
        elif char == '"' and waiting:
            quoted = not quoted
        elif quoted:
            continue
        elif char in _CLOSING:
            waiting.append(_CLOSING[char])
        elif char in _CLOSING.values() and (not waiting or waiting.pop() != char):
            return f'"{path}" has a "{char}" at character {at + 1} that nothing opened'
    if quoted:
        return f'"{path}" has a quote that is not closed'
    if waiting:
        return f'"{path}" lacks a closing "{waiting[-1]}"'
    return "ends with a lone backslash; escape one character or remove it" if escaped else None
