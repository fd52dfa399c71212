"""The rules Kubernetes has for names, labels and annotations."""

from __future__ import annotations

import re

__all__ = ["MAX_LABEL", "is_dns_label", "is_dns_subdomain", "is_label_key", "is_label_value"]

MAX_LABEL = 63
"""Characters in a DNS label at most."""

_DNS_1035 = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?").fullmatch
_DNS_1123_SUBDOMAIN = re.compile(
    r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
).fullmatch
_QUALIFIED = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?").fullmatch


def is_dns_label(name: str) -> bool:
    """Whether the name can be a Service's: RFC 1035, so it starts with a letter."""
    return len(name) <= MAX_LABEL and _DNS_1035(name) is not None


def is_dns_subdomain(name: str) -> bool:
    """Whether the name can be an object's: dot-separated labels of RFC 1123."""
    return len(name) <= 253 and _DNS_1123_SUBDOMAIN(name) is not None


def is_label_key(key: str) -> bool:
    """Whether the key can be a label's or an annotation's: ``[prefix/]name``."""
    prefix, slash, name = key.rpartition("/")
    return (not slash or is_dns_subdomain(prefix)) and _QUALIFIED(name) is not None


def is_label_value(value: str) -> bool:
    """Whether the value can be a label's."""
    return value == "" or _QUALIFIED(value) is not None
