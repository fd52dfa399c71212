"""The planner: within budgets, what runs stays, the most benefit per byte first, little moves."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from perf.residency import bound_of, jittered, make_cluster
from rouse.coldstart.residency import Disk, Item, Move, Placement, place

NAMES = [f"m{number}" for number in range(8)]
NODES = [f"n{number}" for number in range(5)]


def some_items(copies: int) -> st.SearchStrategy[list[Item]]:
    one = st.builds(
        Item,
        st.sampled_from(NAMES),
        st.integers(0, 50),
        st.floats(0, 100, allow_nan=False),
        st.integers(0, copies),
        st.sampled_from(["", "left"]),
        st.sampled_from(["", "image"]),
    )
    return st.lists(one, max_size=8, unique_by=lambda item: item.name)


SOME = st.frozensets(st.sampled_from(NAMES), max_size=3)
DISKS = st.lists(
    st.builds(
        Disk,
        st.sampled_from(NODES),
        st.integers(0, 120),
        st.integers(0, 20),
        SOME,
        SOME,
        st.sampled_from([frozenset(), frozenset({"image"})]),
    ),
    max_size=5,
    unique_by=lambda disk: disk.name,
)
PLACES = {"left": NODES[:2]}


def held_by(disks: list[Disk], placement: Placement) -> list[Disk]:
    return [replace(disk, held=frozenset(placement.on[disk.name])) for disk in disks]


@given(DISKS, some_items(4))
@settings(deadline=None)
def test_no_budget_is_exceeded_and_what_runs_stays(disks: list[Disk], items: list[Item]) -> None:
    known = {item.name: item for item in items}
    placement = place(disks, items, PLACES)
    for disk in disks:
        on = placement.on[disk.name]
        runs = {name for name in disk.running if name in known}
        assert len(set(on)) == len(on)
        assert runs <= set(on)
        room = disk.budget - disk.taken
        least = sum(known[name].size for name in runs)
        assert sum(known[name].size for name in on) <= max(room, least)
        for name in set(on) - runs:
            assert not known[name].where or disk.name in PLACES["left"]


@given(DISKS, some_items(4), st.randoms())
@settings(deadline=None)
def test_the_order_of_what_is_given_does_not_matter(
    disks: list[Disk], items: list[Item], random: st.DataObject
) -> None:
    expected = place(disks, items, PLACES)
    shuffle = random.shuffle  # type: ignore[attr-defined]
    shuffle(disks)
    shuffle(items)
    assert place(disks, items, PLACES) == expected


@given(DISKS, some_items(3))
@settings(deadline=None)
def test_to_plan_again_moves_nothing(disks: list[Disk], items: list[Item]) -> None:
    first = place(disks, items, PLACES)
    again = place(held_by(disks, first), items, PLACES)
    assert again.on == first.on
    assert again.moves == ()


@given(DISKS, some_items(3))
@settings(deadline=None)
def test_moves_are_the_difference(disks: list[Disk], items: list[Item]) -> None:
    placement = place(disks, items, PLACES)
    known = {item.name for item in items}
    there = {
        (disk.name, name)
        for disk in disks
        for name in disk.held | disk.running
        if name in known or name not in disk.running
    }
    there -= {(move.source, move.item) for move in placement.moves}
    there |= {(move.target, move.item) for move in placement.moves if move.target}
    assert there == {(node, name) for node, names in placement.on.items() for name in names}


def test_the_most_benefit_per_byte_comes_first() -> None:
    disks = [Disk("n", 100)]
    items = [Item("large", 90, 45.0), Item("small", 20, 40.0), Item("tiny", 10, 1.0)]
    placement = place(disks, items, {})
    assert placement.on == {"n": ("small", "tiny")}
    assert placement.unplaced == {"large": "nodes are full of what saves more per byte"}


def test_every_model_has_a_copy_before_one_has_two() -> None:
    disks = [Disk("a", 10), Disk("b", 10)]
    placement = place(disks, [Item("x", 10, 12.0, 2), Item("y", 10, 10.0, 2)], {})
    assert sorted(placement.on.values()) == [("x",), ("y",)]


def test_what_is_there_yields_only_to_what_saves_clearly_more() -> None:
    disks = [Disk("a", 10, held=frozenset({"x"}))]
    kept = place(disks, [Item("x", 10, 10.0), Item("y", 10, 12.0)], {})
    assert kept.on == {"a": ("x",)}
    assert kept.moves == ()
    pushed = place(disks, [Item("x", 10, 10.0), Item("y", 10, 13.0)], {})
    assert pushed.on == {"a": ("y",)}
    assert pushed.moves == (Move("x", source="a"), Move("y", target="a"))


def test_who_comes_takes_what_nobody_holds_before_it_pushes_out() -> None:
    disks = [Disk("a", 10, held=frozenset({"x"})), Disk("b", 10)]
    placement = place(disks, [Item("x", 10, 1.0), Item("y", 10, 99.0)], {})
    assert placement.on == {"a": ("x",), "b": ("y",)}
    assert placement.moves == (Move("y", target="b"),)


def test_a_model_goes_where_its_image_is() -> None:
    disks = [Disk(f"n{number}", 100) for number in range(9)]
    disks.append(Disk("with", 100, images=frozenset({"image"})))
    placement = place(disks, [Item("x", 10, 1.0, 2, beside="image")], {})
    on = [node for node, names in placement.on.items() if names]
    assert len(on) == 2
    assert "with" in on


def test_what_cannot_be_placed_is_told() -> None:
    items = [Item("large", 50, 1.0), Item("lost", 1, 1.0, where="nowhere"), Item("no", 1, 1.0, 0)]
    placement = place([Disk("a", 10)], items, {"nowhere": []})
    assert placement.unplaced == {
        "large": "it has 50 bytes, and the largest budget is 10 bytes",
        "lost": "no node may have it",
    }


def test_a_smaller_budget_keeps_what_runs_above_it() -> None:
    disk = Disk("a", 5, held=frozenset({"x", "y"}), running=frozenset({"x"}))
    placement = place([disk], [Item("x", 10, 1.0), Item("y", 1, 99.0)], {})
    assert placement.on == {"a": ("x",)}


def test_small_changes_of_a_large_cluster_move_little() -> None:
    cluster = make_cluster(50, 500, 3)
    first = cluster.planned()
    assert 0.9 * bound_of(cluster) <= first.benefit <= bound_of(cluster)
    settled = cluster.with_held(first)
    copies = sum(map(len, first.on.values()))
    lost = replace(settled, disks=settled.disks[1:])
    gone = len(first.on[settled.disks[0].name])
    for changed, allowed in ((settled, 0), (jittered(settled, 1), 20), (lost, gone + 20)):
        moved = [move for move in changed.planned().moves if move.target]
        assert len(moved) <= allowed < 0.1 * copies
