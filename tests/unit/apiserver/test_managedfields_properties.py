"""What holds of every apply and update, and how long they take."""

from __future__ import annotations

import copy
import time
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from rouse.embedded.apiserver.managedfields import apply_patch
from rouse.embedded.apiserver.managedfields.fieldset import (
    difference,
    intersection,
    member_paths,
    union,
)
from rouse.embedded.apiserver.managedfields.walk import field_set
from tests.unit.apiserver.managed import DEPLOYMENT, Object, apply, bare, deployment, owned, update


def test_speed() -> None:
    env = [{"name": f"E{n}", "value": "v"} for n in range(12)]
    applied = deployment(
        replicas=2, web={"image": "w", "env": env, "ports": [{"containerPort": 80}]}
    )
    live = apply(None, applied)
    changed = copy.deepcopy(live)
    changed["spec"]["replicas"] = 3
    again = {**changed, "metadata": {**changed["metadata"], "managedFields": []}}

    def again_applied() -> None:
        apply_patch(
            live,
            again,
            manager="one",
            force=False,
            subresource="",
            schema=DEPLOYMENT,
            now="2026-01-01T00:00:00Z",
        )

    assert _best(again_applied) < 0.0003
    assert _best(lambda: update(live, changed)) < 0.0003


def _best(run: Any) -> float:
    best = 1.0
    for _ in range(50):
        begin = time.perf_counter()
        run()
        best = min(best, time.perf_counter() - begin)
    return best


_env = st.lists(
    st.fixed_dictionaries(
        {"name": st.sampled_from("ABC")}, optional={"value": st.sampled_from("xy")}
    ),
    max_size=3,
    unique_by=lambda each: each["name"],
)


_container = st.fixed_dictionaries(
    {}, optional={"image": st.sampled_from(["i:1", "i:2"]), "env": _env}
)


@st.composite
def _configs(draw: st.DrawFn) -> Object:
    names = draw(st.lists(st.sampled_from(["web", "log", "init"]), max_size=3, unique=True))
    obj = deployment(
        replicas=draw(st.none() | st.integers(1, 3)), **{name: draw(_container) for name in names}
    )
    labels = draw(st.none() | st.dictionaries(st.sampled_from("abc"), st.sampled_from("12")))
    if labels is not None:
        obj["metadata"]["labels"] = labels
    return obj


@settings(deadline=None)
@given(_configs(), _configs())
def test_apply_is_idempotent(first: Object, second: Object) -> None:
    live = apply(None, first, "one")
    live = apply(live, second, "two", force=True)
    assert apply(live, second, "two", now="2027-01-01T00:00:00Z") is live


@settings(deadline=None)
@given(_configs(), _configs())
def test_apply_replaces_ones_own_earlier_apply(first: Object, second: Object) -> None:
    """One manager alone: the second apply leaves what a first apply of the second would."""
    twice = apply(apply(None, first), second)
    once = apply(None, second)
    assert _without_empty(bare(twice)) == _without_empty(bare(once))
    assert owned(twice, "one") == owned(once, "one")


def _without_empty(value: Any) -> Any:
    if isinstance(value, dict):
        kept = {key: _without_empty(item) for key, item in value.items()}
        return {key: item for key, item in kept.items() if item not in ({}, [])}
    return [_without_empty(item) for item in value] if isinstance(value, list) else value


@settings(deadline=None)
@given(_configs(), _configs())
def test_every_field_of_a_create_and_its_updates_has_one_owner(
    first: Object, second: Object
) -> None:
    live = update(None, first, "one")
    live = update(live, {**second, "metadata": {**second["metadata"]}}, "two")
    one, two = (set(owned(live, name, "Update")) for name in ("one", "two"))
    assert not one & two
    fields = {**second, "metadata": {"labels": second["metadata"].get("labels", {})}}
    wanted = set(member_paths(field_set({"spec": fields["spec"]}, DEPLOYMENT.root)))
    assert wanted <= one | two | {".spec"}


_trees = st.recursive(
    st.just({}),
    lambda inner: st.dictionaries(
        st.sampled_from(["f:a", "f:b", 'k:{"name":"x"}', "."]), inner, min_size=1, max_size=3
    ),
    max_leaves=6,
).map(lambda tree: _clean(tree))


def _clean(tree: Object) -> Object:
    """A proper field set: the mark of a member has nothing below it, nor stands alone or on top."""
    out: Object = {}
    for element, node in tree.items():
        if element == ".":
            continue
        below = _clean(node)
        out[element] = {".": {}, **below} if "." in node and below else below
    return out


@settings(deadline=None)
@given(_trees, _trees)
def test_the_algebra_of_field_sets(left: Object, right: Object) -> None:
    a, b = set(member_paths(left)), set(member_paths(right))
    assert set(member_paths(union(left, right))) == a | b
    assert set(member_paths(difference(left, right))) == a - b
    assert set(member_paths(intersection(left, right))) == a & b
