"""What is at a location, and its bytes: one module for each kind of origin.

A source knows how its origin is spoken to, and nothing of disks, plans and tries. What may pass it
raises as `TransientError`; anything else as `StorageError`. Each module is imported when a location
asks for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Protocol

from predictors.storage.plan import Listing, RemoteFile
from predictors.storage.settings import TransferSettings
from predictors.storage.uris import unsupported

__all__ = ["Source", "source_of"]


class Source(AbstractContextManager["Source"], Protocol):
    """An origin; `read` is called by several threads."""

    pinned: bool
    """Whether the location itself fixes the bytes (a commit, a digest, a checksum)."""

    def revision(self) -> str:
        """The revision of `listing`, as cheaply as the origin can tell it; empty: unknown."""
        ...

    def listing(self) -> Listing:
        """Every file of the model."""
        ...

    def read(self, file: RemoteFile, start: int, end: int | None) -> Iterator[memoryview]:
        """The bytes from ``start`` to before ``end``, in pieces of which each dies with the next.

        None is the end of the file. It may end early; the caller counts.
        """
        ...


def source_of(uri: str, env: Mapping[str, str], settings: TransferSettings) -> Source:
    """The source of a location that is no local path. Raises `StorageError`."""
    scheme = uri.partition("://")[0].lower()
    match scheme:
        case "http" | "https":
            from predictors.storage.sources import objects, web

            if objects.is_azure(uri):
                return objects.ObjectSource(uri, env, settings)
            return web.WebSource(uri, env, settings)
        case "s3" | "s3a" | "gs" | "gcs" | "az" | "azure" | "abfs" | "abfss" | "adl":
            from predictors.storage.sources import objects

            return objects.ObjectSource(uri, env, settings)
        case "hf":
            from predictors.storage.sources import huggingface

            return huggingface.HuggingFaceSource(uri, env, settings)
        case "oci" | "oci+fetch" | "oci+native":
            from predictors.storage.sources import oci

            return oci.OciSource(uri, env, settings)
        case _:
            from predictors.storage.sources import generic

            if not generic.is_known(uri):
                raise unsupported(uri)
            return generic.GenericSource(uri, env, settings)
