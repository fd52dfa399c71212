"""The rules of a ClusterStorageContainer that its types cannot say."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rouse.api.clusterstoragecontainer.types import ClusterStorageContainer, SupportedUriFormat
from rouse.api.object_names import check_name
from rouse.api.pods.checks import check_env
from rouse.errors import FieldError

__all__ = ["validate"]


def validate(storage: ClusterStorageContainer) -> list[FieldError]:
    """Return every finding about a storage container as the user gave it."""
    findings = [
        *check_name(storage.metadata),
        *check_env(storage.spec.container.env, "spec.container.env"),
    ]
    for index, each in enumerate(storage.spec.supported_uri_formats):
        findings += _format(each, f"spec.supportedUriFormats[{index}]")
    return findings


def _format(each: SupportedUriFormat, path: str) -> Iterator[FieldError]:
    if (each.prefix is None) == (each.regex is None):
        given = "both prefix and regex" if each.prefix is not None else "neither prefix nor regex"
        yield FieldError(path, f"has {given}; give exactly one of prefix and regex")
    if each.regex is not None:
        try:
            re.compile(each.regex)
        except re.error as error:
            yield FieldError(
                f"{path}.regex", f'"{each.regex}" is no regular expression: {error.msg}'
            )
