"""What the planner is asked: nodes with their budgets, services with what their copies save."""

from __future__ import annotations

from typing import Any

from rouse.api.localmodelnode.names import demand_name
from rouse.coldstart.residency import Demand, Disk, benefit_of, place
from rouse.compiler.config import Config
from rouse.controllers.localmodel.planning import Facts, Wanted, make_question
from rouse.controllers.localmodel.services import Use, use_of
from rouse.kube.objects import Key, Object

URI = "s3://models/iris"
GROUP: Object = {"spec": {"storageLimit": "10Gi", "persistentVolumeSpec": {}}}
CONFIG = Config.from_config_map({"data": {"modelCache": "{demand: true, nodeGroup: disks}"}})


def node(name: str, *, ready: bool = True, images: Object | None = None, **labels: str) -> Object:
    conditions = [{"type": "Ready", "status": str(ready)}]
    return {
        "metadata": {"name": name, "labels": labels},
        "status": {"conditions": conditions, "images": images or {}},
    }


def local(uri: str, **status: Any) -> Object:
    model = {"modelName": demand_name(uri), "sourceModelUri": uri, "nodeGroup": "disks"}
    key = demand_name(uri)
    told = {name: {key: value} for name, value in status.items() if name != "budgetBytes"}
    told |= {name: value for name, value in status.items() if name == "budgetBytes"}
    return {"spec": {"localModels": [model]}, "status": told}


def wanted(uri: str = URI, *, per_h: float = 1.0, image: str = "", **use: Any) -> Wanted:
    return Wanted(Use(Key("default", "iris"), (uri,), demand=True, **use), Demand(per_h), image)


def ask(*wants: Wanted, **given: Any) -> Any:
    nodes = given.pop("nodes", [node("one"), node("two")])
    arguments: dict[str, Any] = {
        "groups": {"disks": GROUP},
        "caches": [],
        "locals_": {},
        "running": {},
        "facts": Facts(),
        "config": CONFIG,
    }
    return make_question(wants, nodes, **{**arguments, **given})


def test_a_model_of_which_nothing_is_known() -> None:
    question = ask(wanted(image="repo/server"))
    (item,) = question.items
    assert (item.name, item.copies, item.beside) == (URI, 2, "repo/server")
    assert item.benefit == benefit_of(1.0, 0.0, item.size)
    assert question.places[item.where] == {"one", "two"}
    assert [(disk.name, disk.budget) for disk in question.disks] == [
        ("one", 10 * 2**30),
        ("two", 10 * 2**30),
    ]


def test_agents_tell_sizes_times_and_budgets() -> None:
    told = local(URI, modelBytes=500, fetchSeconds=90, budgetBytes=2000)
    question = ask(wanted(per_h=2.0), locals_={"one": told}, running={"one": {URI, "s3://other"}})
    (item,) = question.items
    assert (item.size, item.benefit) == (500, 180.0)
    assert question.disks[0] == Disk("one", 2000, 0, frozenset({URI}), frozenset({URI}))


def test_what_was_told_of_a_model_that_no_node_keeps_now_is_kept_in_mind() -> None:
    facts = Facts()
    ask(wanted(), facts=facts, locals_={"one": local(URI, modelBytes=10**12, fetchSeconds=9)})
    (item,) = ask(wanted(), facts=facts).items
    assert item.size == 10**12
    ask(wanted("s3://another"), facts=facts)
    assert (facts.sizes, facts.seconds) == ({}, {})


def test_services_of_the_same_model_add_up() -> None:
    pools = [wanted(node_selector={"pool": pool}, per_h=2.0) for pool in ("a", "b")]
    nodes = [node("one", pool="a"), node("two", pool="b"), node("three", pool="c")]
    question = ask(*pools, nodes=nodes)
    (item,) = question.items
    assert item.benefit == benefit_of(4.0, 0.0, item.size)
    assert question.places[item.where] == {"one", "two"}


def test_copies_are_as_set_and_no_fewer_than_replicas() -> None:
    nodes = [node(str(number)) for number in range(5)]
    every = Config.from_config_map({"data": {"modelCache": "{nodeGroup: disks, copies: 0}"}})
    assert ask(wanted(), nodes=nodes).items[0].copies == 2
    assert ask(wanted(min_replicas=3), nodes=nodes).items[0].copies == 3
    assert ask(wanted(min_replicas=9), nodes=nodes).items[0].copies == 5
    assert ask(wanted(), nodes=nodes, config=every).items[0].copies == 5
    service = {"metadata": {"name": "a"}, "spec": {"predictor": {"minReplicas": 4}}}
    assert use_of(service, CONFIG).min_replicas == 4


def test_what_caches_ask_for_takes_its_room_first() -> None:
    cache = {
        "metadata": {"name": "c"},
        "spec": {"sourceModelUri": "s3://x", "modelSize": "4Gi", "nodeGroups": ["disks", "lost"]},
    }
    assert {disk.taken for disk in ask(wanted(), caches=[cache]).disks} == {4 * 2**30}
    leaving = {**cache, "metadata": {"name": "c", "deletionTimestamp": "now"}}
    assert {disk.taken for disk in ask(wanted(), caches=[leaving]).disks} == {0}


def test_a_node_that_is_not_ready_is_left_as_it_is() -> None:
    question = ask(wanted(), nodes=[node("one"), node("two", ready=False)])
    assert [disk.name for disk in question.disks] == ["one"]
    assert "two" not in place(question.disks, question.items, question.places).on


def test_a_group_that_is_not_there_has_no_nodes() -> None:
    question = ask(wanted(group="lost"))
    placed = place(question.disks, question.items, question.places)
    assert placed.unplaced == {URI: "no node may have it"}


def test_the_nodes_with_the_image_come_first() -> None:
    nodes = [node(str(number)) for number in range(9)]
    nodes += [node(name, images={"repo/server": 10**9}) for name in ("x", "y")]
    question = ask(wanted(image="repo/server"), nodes=nodes)
    placed = place(question.disks, question.items, question.places)
    assert sorted(name for name, on in placed.on.items() if on) == ["x", "y"]
