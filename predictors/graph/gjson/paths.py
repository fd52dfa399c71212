"""Paths, compiled once and evaluated for every request."""

from __future__ import annotations

from predictors.graph.gjson.validity import is_valid
from predictors.graph.gjson.values import MISSING, Kind, Result
from predictors.graph.gjson.walk import get
from predictors.graph.gjson.work import TooMuchWorkError, Work

__all__ = ["Document", "Path", "PathError", "compile_path"]


class PathError(ValueError):
    pass


class Document:
    pass


class Path:
    def __init__(self, text: str) -> None:
        self._path = text.encode()

    def get(self, document: bytes) -> Result | None:
        if not is_valid(document):
            return None
        return self.find(document)

    def find(self, document: bytes) -> Result | None:
        work = Work(10_000_000)
        found = get(document, self._path, work)
        return found if found.exists else None


def compile_path(text: str) -> Path:
    return Path(text)
