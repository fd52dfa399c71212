"""The page about the kinds lists those that there are."""

from __future__ import annotations

from pathlib import Path

from rouse.api.definitions import DEFINITIONS

PAGE = Path(__file__).parents[3] / "docs" / "kinds.md"


def test_the_page_lists_every_kind_with_its_scope_and_short_name() -> None:
    rows = [
        tuple(cell.strip() for cell in line.strip("|").split("|")[:4])
        for line in PAGE.read_text(encoding="utf-8").splitlines()
        if line.startswith("|") and "v1" in line
    ]
    assert rows == [
        (
            definition.kind,
            definition.version,
            "Cluster" if definition.cluster else "Namespaced",
            ", ".join(definition.short_names),
        )
        for definition in DEFINITIONS
    ]
