"""PROPAGATE_HEADERS, written for KServe's router: what of Go's expressions means here."""

from __future__ import annotations

import re

import pytest

from predictors.graph.patterns import compile_pattern


@pytest.mark.parametrize(
    ("pattern", "fits", "other"),
    [
        (r"^[[:alpha:]]+$", "Tenant", "Tenant-1"),
        (r"^x-[[:alnum:]-]+\z", "x-a-1", "x-a_1"),
        (r"^[^[:digit:]]+$", "x-a", "x-1"),
        (r"^[[:^alpha:]]+$", "12-3", "1a"),
        (r"^[]a&&b[]+$", "]a&b[", "c"),
        (r"(?i)authorization", "AUTHORIZATION", "Author"),
        (r"^X-(?i)a$", "X-A", "x-a"),
        (r"^a(?i)b$|^c$", "C", "A"),
        (r"^(a(?i)b)c$", "aBc", "aBC"),
        (r"^(?i:x)-y$", "X-y", "X-Y"),
        (r"(?U)^x.*y$", "x-y", "x"),
        (r"^(?<name>x)(?P<other>y)$", "xy", "x"),
        (r"^\Qx.y\E$", "x.y", "x-y"),
        (r"^\Qx(", "x(", "x"),
        (r"^\x{41}$", "A", "B"),
        (r"^\w\-\d{1,2}$", "a-12", "a-123"),
    ],
)
def test_it_means_what_go_means(pattern: str, fits: str, other: str) -> None:
    compiled = compile_pattern(pattern)
    assert compiled.search(fits)
    assert not compiled.search(other)


@pytest.mark.parametrize("pattern", ["(", "x)", "*", "[[:letter:]]", r"\p{Greek}", r"\x{FFFFFFFF}"])
def test_what_cannot_be_read_is_refused(pattern: str) -> None:
    with pytest.raises(re.error):
        compile_pattern(pattern)
