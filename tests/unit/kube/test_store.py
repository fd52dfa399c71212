"""The informer's store and its indexes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rouse.kube.objects import Key, Object
from rouse.kube.store import Store, by_label

NAMES = st.sampled_from(["a", "b", "c"])
PUTS = st.tuples(st.just(True), NAMES, NAMES, st.sets(NAMES))
REMOVALS = st.tuples(st.just(False), NAMES, NAMES, st.just(set[str]()))


def made(namespace: str, name: str, owners: set[str], label: str) -> Object:
    return {
        "metadata": {
            "namespace": namespace,
            "name": name,
            "labels": {"x": label},
            "ownerReferences": [{"uid": uid} for uid in sorted(owners)],
        }
    }


@given(st.lists(st.one_of(PUTS, REMOVALS)))
def test_indexes_say_what_a_scan_says(
    changes: list[tuple[bool, str, str, set[str]]],
) -> None:
    store = Store()
    store.add_index("x", by_label("x"))
    model: dict[Key, Object] = {}
    for index, (put, namespace, name, owners) in enumerate(changes):
        key = Key(namespace, name)
        if put:
            obj = made(namespace, name, owners, str(index % 2))
            assert store.put(obj) is model.get(key)
            model[key] = obj
        else:
            assert store.remove(key) is model.pop(key, None)
    assert sorted(map(id, store)) == sorted(map(id, model.values()))
    for value in ("a", "b", "c"):
        expected = [
            one
            for one in model.values()
            if value in [owner["uid"] for owner in one["metadata"]["ownerReferences"]]
        ]
        assert sorted(map(id, store.indexed("owner", value))) == sorted(map(id, expected))
        assert {id(one) for one in store.select(value)} == {
            id(one) for key, one in model.items() if key.namespace == value
        }
    for label in ("0", "1"):
        assert len(store.indexed("x", label)) == len(store.select(labels={"x": label}))


def test_an_index_added_later_covers_what_is_there() -> None:
    store = Store()
    store.put(made("a", "p", set(), "1"))
    store.add_index("x", by_label("x"))
    assert len(store.indexed("x", "1")) == 1
    assert store.indexed("x", "2") == []
    assert store.get(Key("a", "p")) is not None
    assert len(store) == 1


def test_a_packed_store_gives_out_equal_objects() -> None:
    plain, packed = Store(), Store(packed=True)
    for store in (plain, packed):
        store.put(_pod("a", "1", owner="u"))
        store.put(_pod("b", "1", owner="u"))
        old = store.put(_pod("a", "2", owner="v"))
        assert old == _pod("a", "1", owner="u")
        assert store.remove(Key("n", "absent")) is None
    assert list(packed) == list(plain)
    assert packed.all_keys() == plain.all_keys()
    for uid in ("u", "v", "w"):
        assert packed.indexed("owner", uid) == plain.indexed("owner", uid)
    assert packed.select("n", {"x": "y"}) == plain.select("n", {"x": "y"})
    assert packed.remove(Key("n", "a")) == _pod("a", "2", owner="v")
    assert packed.get(Key("n", "a")) is None


def _pod(name: str, version: str, *, owner: str) -> Object:
    return {
        "metadata": {
            "name": name,
            "namespace": "n",
            "resourceVersion": version,
            "labels": {"x": "y"},
            "ownerReferences": [{"uid": owner}],
        }
    }
