"""Headers that a graph names for its own steps."""

from __future__ import annotations

import pytest

from rouse.api.inferencegraph import parse, validate
from rouse.api.inferencegraph.annotations import PROPAGATE_HEADERS, parse_headers


@pytest.mark.parametrize(
    ("text", "names"),
    [("", ()), ("x-a", ("x-a",)), (" x-a ,X-B-.*, ", ("x-a", "X-B-.*"))],
)
def test_names_are_separated_by_commas(text: str, names: tuple[str, ...]) -> None:
    assert parse_headers(text) == names


@pytest.mark.parametrize(("text", "said"), [("x-a,x-.*", None), ("x-a,(", "(")])
def test_what_is_no_pattern_is_refused(text: str, said: str | None) -> None:
    findings = validate(
        parse(
            {
                "apiVersion": "serving.kserve.io/v1alpha1",
                "kind": "InferenceGraph",
                "metadata": {"name": "pets", "annotations": {PROPAGATE_HEADERS: text}},
                "spec": {
                    "nodes": {
                        "root": {"routerType": "Sequence", "steps": [{"serviceName": "cats"}]}
                    }
                },
            }
        )
    )
    told = {each.path: each.message for each in findings}
    if said is None:
        assert not told
    else:
        where = f"metadata.annotations[{PROPAGATE_HEADERS}]"
        assert told[where].startswith(f'"{said}" is no regular expression')
