"""A canary goes through all components: ways, waiting, overrides."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rouse.api.inferenceservice import parse
from rouse.compiler.lineage import Candidate, Way, canary_way, decide_rollouts, join_ways
from rouse.compiler.rollout import Rollout, Share

Object = dict[str, Any]


def rollout(percent: int | None) -> Rollout:
    """A canary r2 of that percent beside r1; without one, r2 alone."""
    if percent is None:
        return Rollout("r2", "r2", "r2", "r1", (Share("r2", 100),))
    shares = tuple(s for s in (Share("r2", percent), Share("r1", 100 - percent)) if s.percent)
    return Rollout("r2", "r2", "r1", "", shares, percent)


percents = st.none() | st.integers(0, 100)


@given(percents, percents)
def test_ways_keep_every_percent_and_never_cross_both_ways(
    entry: int | None, predictor: int | None
) -> None:
    ways = join_ways(rollout(entry), rollout(predictor))
    assert sum(way.percent for way in ways) == 100
    assert all(way.percent > 0 for way in ways)
    entries: Counter[str] = Counter()
    lineages: Counter[str] = Counter()
    for way in ways:
        entries[way.entry] += way.percent
        lineages[way.lineage] += way.percent
    assert entries["r2"] == (100 if entry is None else entry)
    assert lineages["latest"] == (100 if predictor is None else predictor)
    kinds = {(way.entry, way.lineage) for way in ways}
    assert not {("r2", "prev"), ("r1", "latest")} <= kinds
    if entry == predictor is not None:
        assert kinds <= {("r2", "latest"), ("r1", "prev")}


def test_there_is_no_way_until_both_are_ready() -> None:
    assert join_ways(Rollout(), rollout(None)) == ()
    assert join_ways(rollout(None), Rollout()) == ()
    assert canary_way(Rollout(), rollout(20)) is None


def test_the_way_of_the_canary_is_there_at_0_percent_and_gone_after_promotion() -> None:
    assert canary_way(rollout(0), rollout(0)) == Way("r2", "latest", 100)
    assert canary_way(rollout(None), rollout(10)) == Way("r2", "latest", 100)
    assert canary_way(rollout(None), rollout(None)) is None


def service(**components: Object) -> Any:
    container = {"containers": [{"name": "c", "image": "i"}]}
    return parse(
        {
            "apiVersion": "serving.kserve.io/v1beta1",
            "kind": "InferenceService",
            "metadata": {"name": "iris"},
            "spec": {name: {**container, **fields} for name, fields in components.items()},
        }
    )


def knative(created: str, ready: str) -> Object:
    return {"status": {"latestCreatedRevisionName": created, "latestReadyRevisionName": ready}}


def made_of(**hashes: str) -> dict[str, Object]:
    return {
        name: {"metadata": {"annotations": {"rouse.dev/template-hash": hash_}}}
        for name, hash_ in hashes.items()
    }


def serving(**rolled_out: str) -> Object:
    return {
        "components": {
            name: {
                "latestRolledoutRevision": revision,
                "traffic": [{"revisionName": revision, "percent": 100}],
            }
            for name, revision in rolled_out.items()
        }
    }


@pytest.mark.parametrize("canary", [None, 20])
def test_a_new_revision_waits_until_the_others_are_ready(canary: int | None) -> None:
    fields = {} if canary is None else {"canaryTrafficPercent": canary}
    isvc = service(predictor=fields, transformer={})
    revisions = made_of(p1="old", p2="p", t1="old", t2="t")

    def decided(predictor: Object, status: Object) -> dict[str, Rollout]:
        return decide_rollouts(
            isvc,
            [
                Candidate("predictor", predictor, "p"),
                Candidate("transformer", knative("t2", "t2"), "t"),
            ],
            revisions=revisions,
            previous_status=status,
        )

    before = serving(predictor="p1", transformer="t1")
    waiting = decided(knative("p2", "p1"), before)
    assert waiting["transformer"].shares == (Share("t1", 100),)
    assert waiting["transformer"].percent == 0
    assert canary_way(waiting["transformer"], waiting["predictor"]) is None
    both = decided(knative("p2", "p2"), before)
    newest = 100 if canary is None else canary
    assert both["transformer"].shares[0] == Share("t2", newest)
    assert both["predictor"].shares[0] == Share("p2", newest)
    # What has requests already keeps them while the next model is made.
    going_on = serving(predictor="p1", transformer="t1")
    going_on["components"]["transformer"]["traffic"] = [{"revisionName": "t2", "percent": 20}]
    assert decided(knative("p2", "p1"), going_on)["transformer"].shares[0].revision == "t2"


def test_the_percent_of_another_component_never_takes_back_what_was_rolled_out() -> None:
    isvc = service(predictor={"canaryTrafficPercent": 0}, transformer={})
    status = serving(predictor="p2", transformer="t2")
    for name, previous in (("predictor", "p1"), ("transformer", "t1")):
        status["components"][name]["previousRolledoutRevision"] = previous
    got = decide_rollouts(
        isvc,
        [
            Candidate("predictor", knative("p2", "p2"), "p"),
            Candidate("transformer", knative("t2", "t2"), "t"),
        ],
        revisions=made_of(p1="old", p2="p", t1="old", t2="t"),
        previous_status=status,
    )
    assert got["predictor"].shares == (Share("p1", 100),)
    assert got["transformer"].shares == (Share("t2", 100),)
