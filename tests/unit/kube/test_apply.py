"""When a write is needed, and that it is not sent otherwise."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rouse.kube.apply import APPLIED, apply_if_differs, differs, same_quantity, stamped
from tests.unit.kube.scripted import ScriptedApi, answer


def obj(spec: Any = None, **metadata: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "x", "namespace": "a", **metadata},
        **({} if spec is None else {"spec": spec}),
    }


@pytest.mark.parametrize(
    ("wanted", "live", "expected"),
    [
        (obj({"a": 1}), obj({"a": 1}), False),
        (obj({"a": 1}), obj({"a": 2}), True),
        (obj({"a": 1}), obj({"a": 1, "default": 2}), False),
        (obj({"a": 1}), obj({}), True),
        (obj({"a": 1}), obj(None), True),
        (obj({"a": {"b": 1}}), obj({"a": "text"}), True),
        (obj({"a": 1}), obj({"a": True}), True),
        (obj({"a": False}), obj({"a": 0}), True),
        (obj({"a": None}), obj({}), False),
        (obj({"a": {}, "b": []}), obj({}), False),
        (obj({"a": {"b": {}}}), obj({}), False),
        (obj({"a": {"b": 1}}), obj({}), True),
        (obj({"l": [1, 2]}), obj({"l": [1, 2]}), False),
        (obj({"l": [1, 2]}), obj({"l": [2, 1]}), True),
        (obj({"l": [1]}), obj({"l": [1, 2]}), True),
        (obj({"l": [{"a": 1}]}), obj({"l": [{"a": 1, "default": 2}]}), False),
        (obj({"l": [{"a": 1}]}), obj({"l": "text"}), True),
        (obj({"limits": {"cpu": "1"}}), obj({"limits": {"cpu": "1000m"}}), False),
        (obj({"limits": {"cpu": 1}}), obj({"limits": {"cpu": "1"}}), False),
        (obj({"limits": {"memory": "1Gi"}}), obj({"limits": {"memory": "1024Mi"}}), False),
        (obj({"limits": {"memory": "1Gi"}}), obj({"limits": {"memory": "1G"}}), True),
        (obj({"text": "1"}), obj({"text": "1000m"}), True),
        (obj(labels={"a": "1"}), obj(labels={"a": "1", "b": "2"}), False),
        (obj(labels={"a": "1"}), obj(labels={"a": "2"}), True),
        (obj(labels={"a": "1"}), obj(), True),
        (obj(ownerReferences=[{"uid": "1"}]), obj(ownerReferences=[{"uid": "1", "x": 1}]), False),
        (
            obj(ownerReferences=[{"uid": "1"}]),
            obj(ownerReferences=[{"uid": "2"}, {"uid": "1"}]),
            False,
        ),
        (obj(ownerReferences=[{"uid": "1"}]), obj(ownerReferences=[{"uid": "2"}]), True),
        (obj(ownerReferences=[{"uid": "1"}]), obj(), True),
        (obj(finalizers=["f"]), obj(finalizers=["g", "f"]), False),
    ],
)
def test_differs(wanted: dict[str, Any], live: dict[str, Any], expected: bool) -> None:
    assert differs(wanted, live) is expected


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(json_values)
def test_nothing_differs_from_itself_decoded(spec: Any) -> None:
    wanted = obj({"x": spec})
    assert not differs(wanted, orjson.loads(orjson.dumps(wanted)))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("0.5", "500m", True),
        (2, "2", True),
        ("1k", 1000, True),
        ("1Ki", 1024, True),
        ("1e3", "1000", True),
        ("1Mi", "1M", False),
        ("", "0", False),
        ("m", "0", False),
        (True, 1, False),
        (None, 0, False),
    ],
)
def test_quantities(one: Any, other: Any, same: bool) -> None:
    assert same_quantity(one, other) is same


async def test_no_write_at_steady_state() -> None:
    wanted = obj({"l": [{"a": 1}]})
    api = ScriptedApi(answer(obj()))
    client = api.client()
    assert await apply_if_differs(client, wanted, None) is not None
    written = orjson.loads(api.requests[0].content)
    assert written == stamped(wanted)
    written["spec"]["l"][0]["default"] = 2
    assert await apply_if_differs(client, wanted, written) is None
    assert len(api.requests) == 1


async def test_a_field_no_longer_wanted_inside_a_list_is_noticed() -> None:
    live = stamped(obj({"l": [{"a": 1, "b": 2}]}))
    wanted = obj({"l": [{"a": 1}]})
    assert not differs(wanted, live)
    api = ScriptedApi(answer(live))
    assert await apply_if_differs(api.client(), wanted, live) is not None


def test_the_stamp_does_not_depend_on_the_order_of_fields_nor_change_its_input() -> None:
    wanted = obj({"a": 1, "b": 2}, annotations={"x": "y"})
    other = obj({"b": 2, "a": 1}, annotations={"x": "y"})
    assert stamped(wanted) == stamped(other)
    assert APPLIED not in wanted["metadata"]["annotations"]
    assert stamped(wanted)["metadata"]["annotations"]["x"] == "y"
