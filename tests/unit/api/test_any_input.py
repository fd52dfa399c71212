"""Whatever is given, the answer is the object or the documented error."""

from __future__ import annotations

import contextlib
import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rouse.api import clusterstoragecontainer, inferencegraph
from rouse.api.admission import review
from rouse.api.crds import make_crds
from rouse.errors import FieldError, ValidationError
from tests.unit.api.kinds import SPECS, of_kind

Object = dict[str, Any]

KINDS = sorted(SPECS)


def _names(schema: Object) -> set[str]:
    names = set(schema.get("properties", {}))
    inner = [*schema.get("properties", {}).values()]
    inner += [schema[key] for key in ("items", "additionalProperties") if key in schema]
    return names.union(*map(_names, inner))


FIELDS = sorted(
    {"root"}.union(
        *(
            _names(crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"])
            for crd in make_crds().values()
        )
    )
)

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.sampled_from(["1Gi", "s3://b/m", "Splitter", "root", "$response", "v1", "a.#(b", "-1"])
)
keys = st.sampled_from(FIELDS) | st.text(max_size=4)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=10,
)


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in an object, the root left out."""
    found = [path] if path else []
    if isinstance(value, dict):
        for key, inner in value.items():
            found += _places(inner, (*path, key))
    if isinstance(value, list):
        for index, inner in enumerate(value):
            found += _places(inner, (*path, index))
    return found


@st.composite
def spoiled(draw: st.DrawFn) -> Object:
    """A good object of some kind in which a few places hold something else."""
    obj = of_kind(draw(st.sampled_from(KINDS)))
    for _ in range(draw(st.integers(1, 3))):
        *outer, last = draw(st.sampled_from(_places(obj)))
        place = obj
        for part in outer:
            place = place[part]
        match draw(st.sampled_from(["replace", "drop", "add"])):
            case "replace":
                place[last] = draw(values)
            case "drop":
                del place[last]
            case _ if isinstance(place, dict):
                place[draw(keys)] = draw(values)
        if not obj:
            break
    return obj


@given(
    st.dictionaries(keys, values, max_size=4),
    st.sampled_from(KINDS) | values,
    st.none() | spoiled(),
)
def test_anything_is_let_in_or_refused(obj: Object, kind: Any, old: Object | None) -> None:
    with contextlib.suppress(ValidationError):
        review({**obj, "kind": kind}, old)


@given(spoiled(), spoiled())
def test_a_spoiled_object_is_let_in_or_refused(obj: Object, old: Object) -> None:
    before = copy.deepcopy(obj)
    with contextlib.suppress(ValidationError):
        assert review(obj, old) is obj
    assert obj == before


@given(spoiled())
def test_every_finding_has_a_message_that_says_something(obj: Object) -> None:
    findings: tuple[FieldError, ...] = ()
    try:
        review(obj)
    except ValidationError as error:
        findings = error.errors
    assert all(finding.message and finding.path for finding in findings)


@pytest.mark.parametrize("kind", KINDS)
def test_an_object_without_end_is_refused(kind: str) -> None:
    bottomless: Object = {}
    for _ in range(900):
        bottomless = {"a": [bottomless]}
    obj = of_kind(kind)
    obj["spec"]["affinity"] = bottomless
    with pytest.raises(ValidationError, match="levels deep"):
        review(obj)


@st.composite
def graphs(draw: st.DrawFn) -> Object:
    """Graphs as people write them: every node calls services and nodes further on."""
    names = ["root", *(f"n{i}" for i in range(draw(st.integers(0, 4))))]
    nodes: Object = {}
    for at, name in enumerate(names):
        router = draw(st.sampled_from(["Sequence", "Splitter", "Ensemble", "Switch"]))
        count = draw(st.integers(1, 4))
        shares = [100 // count] * (count - 1)
        steps = [draw(_targets(names[at + 1 :])) for _ in range(count)]
        for index, step in enumerate(steps):
            if router == "Splitter":
                step["weight"] = [*shares, 100 - sum(shares)][index]
            if router == "Switch":
                step["condition"] = draw(st.sampled_from(["a", "a.#(b>1)", "[@this].#(c==d)"]))
            if draw(st.booleans()):
                step["name"] = f"s{index}"
        nodes[name] = {"routerType": router, "steps": steps}
    spec = draw(
        st.fixed_dictionaries(
            {"nodes": st.just(nodes)},
            optional={
                "minReplicas": st.integers(0, 2),
                "maxReplicas": st.sampled_from([0, 2, 3]),
                "timeout": st.integers(0, 600),
                "scaleMetric": st.sampled_from(["cpu", "rps"]),
            },
        )
    )
    return {**of_kind("InferenceGraph"), "spec": spec}


def _targets(further: list[str]) -> st.SearchStrategy[Object]:
    targets: list[Object] = [
        {"serviceName": "a"},
        {"serviceUrl": "https://h.example:8443/v1/models/m:predict"},
        *({"nodeName": name} for name in further),
    ]
    return st.builds(
        lambda target, more: {**target, **more},
        st.sampled_from(targets),
        st.fixed_dictionaries(
            {},
            optional={
                "data": st.sampled_from(["$request", "$response"]),
                "dependency": st.sampled_from(["Soft", "Hard"]),
            },
        ),
    )


@given(graphs())
def test_a_good_graph_is_let_in_and_defaults_settle(obj: Object) -> None:
    assert review(obj, obj) is obj
    once = inferencegraph.default(inferencegraph.parse(obj))
    assert inferencegraph.default(once) == once
    assert review(once.to_object())
    assert inferencegraph.default(inferencegraph.parse(once.to_object())) == once


@given(
    st.lists(
        st.sampled_from([{"prefix": "s3://"}, {"regex": "https?://.+"}]), min_size=1, max_size=3
    ),
    st.none() | st.booleans(),
    st.none() | st.sampled_from(["initContainer", "localModelDownloadJob"]),
)
def test_a_good_storage_container_is_let_in_and_defaults_settle(
    formats: list[Object], disabled: bool | None, workload: str | None
) -> None:
    obj = of_kind("ClusterStorageContainer", ("supportedUriFormats", formats))
    obj |= {} if disabled is None else {"disabled": disabled}
    obj["spec"] |= {} if workload is None else {"workloadType": workload}
    assert review(obj) is obj
    once = clusterstoragecontainer.default(clusterstoragecontainer.parse(obj))
    assert clusterstoragecontainer.default(once) == once
    assert review(once.to_object())
