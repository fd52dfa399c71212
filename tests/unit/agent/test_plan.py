"""What an agent fetches and what goes: tables of what is wanted, there and running."""

from __future__ import annotations

import pytest

from rouse.agent.plan import Copy, Decision, Known, Run, Wish, decide
from rouse.agent.pods import runs_of
from rouse.agent.report import Failure, make_conditions, make_states

A, B, C = "s3://m/a", "s3://m/b", "s3://m/c"


def on_demand(uri: str) -> Wish:
    return Wish(f"on-demand:{uri[-1]}", uri, pinned=False)


def known(letter: str, size: int = 40, **more: object) -> Known:
    return Known(letter, bytes=size, **more)  # type: ignore[arg-type]


def there(*letters: str) -> list[Copy]:
    return [Copy(each, 40, fetched_at=100.0) for each in letters]


@pytest.mark.parametrize(
    ("case", "wishes", "copies", "runs", "fetch", "evict"),
    [
        ("what is missing comes", [Wish("a", A)], [], [], [A], []),
        ("what is there stays", [Wish("a", A)], there("a"), [], [], []),
        ("what nobody wants goes", [], there("a", "b"), [], [], ["a", "b"]),
        ("not under a running pod", [], there("a"), [Run(A, 200.0)], [], []),
        (
            "one goes for another that is worth more",
            [on_demand(A), on_demand(B), Wish("c", C)],
            there("a", "b"),
            [],
            [C],
            ["a"],
        ),
        (
            "what runs stays, whatever it is worth",
            [on_demand(A), on_demand(B), Wish("c", C)],
            there("a", "b"),
            [Run(A, 200.0)],
            [C],
            ["b"],
        ),
    ],
)
def test_decisions(
    case: str,
    wishes: list[Wish],
    copies: list[Copy],
    runs: list[Run],
    fetch: list[str],
    evict: list[str],
) -> None:
    facts = {A: known("a", uses=1), B: known("b", uses=5), C: Known(bytes=40)}
    found = decide(wishes, facts, copies, runs, budget=100)
    assert (list(found.fetch), list(found.evict)) == (fetch, evict), case


def test_pinned_models_come_first_and_the_rest_is_told_why() -> None:
    facts = {uri: Known(bytes=60) for uri in (A, B)}
    found = decide([on_demand(A), Wish("b", B)], facts, [], [], budget=100)
    assert found.fetch == (B,)
    assert found.refused == {A: "it has 60 bytes, and other models leave 40 bytes"}
    large = decide([Wish("a", A)], {A: Known(bytes=101)}, [], [], budget=100)
    assert large.refused == {A: "it has 101 bytes, and the node's budget is 100 bytes"}
    assert large.fetch == ()


def test_a_model_that_does_not_fit_yet_drives_nothing_out_again_and_again() -> None:
    facts = {A: known("a", 60, uses=9), B: Known(bytes=60, uses=1)}
    copies = [Copy("a", 60)]
    for _ in range(3):
        found = decide([on_demand(A), on_demand(B)], facts, copies, [], budget=100)
        assert (found.fetch, found.evict) == ((), ())
    assert B in found.refused


def test_running_pods_of_models_nobody_wants_take_their_room() -> None:
    facts = {A: known("a", 80), B: Known(bytes=40), C: Known(bytes=10)}
    wishes = [Wish("b", B), Wish("c", C)]
    found = decide(wishes, facts, [Copy("a", 80)], [Run(A, 200.0)], budget=100)
    assert found == Decision(
        (C,), (), {B: "what running pods use leaves no room for it yet"}, found.age
    )


def test_a_former_revision_stays_until_its_pods_are_gone() -> None:
    facts = {A: Known("new", former=("old",), bytes=10)}
    copies = [Copy("new", 10, fetched_at=100.0), Copy("old", 10, fetched_at=1.0)]
    before, after = Run(A, since=50.0), Run(A, since=150.0)
    assert decide([Wish("a", A)], facts, copies, [before, after], budget=100).evict == ()
    assert decide([Wish("a", A)], facts, copies, [after], budget=100).evict == ("old",)


def test_what_pods_use() -> None:
    def pod(phase: str, annotations: dict[str, str], uri: str = "") -> dict[str, object]:
        env = [{"name": "STORAGE_URI", "value": uri}] if uri else []
        return {
            "metadata": {"annotations": annotations, "creationTimestamp": "1970-01-01T00:01:00Z"},
            "spec": {"containers": [{"name": "c", "env": env}]},
            "status": {"phase": phase},
        }

    several = '[{"uri": "s3://m/x", "mountPath": "/a"}, 3]'
    pods = [
        pod("Running", {}, A),
        pod("Pending", {"internal.serving.kserve.io/storage-initializer-sourceuri": B}),
        pod("Running", {"internal.rouse.dev/storage-uris": several}, "/mnt/models"),
        pod("Running", {"internal.rouse.dev/storage-uris": "no json"}),
        pod("Failed", {}, C),
    ]
    assert runs_of(pods) == [Run(A, 60.0), Run(B, 60.0), Run("s3://m/x", 60.0)]


def test_states_and_conditions() -> None:
    wishes = [Wish("a", A), Wish("b", B), on_demand(C)]
    failures = {
        A: Failure("OriginUnreachable", "no answer"),
        B: Failure("ChecksumMismatch", "other bytes"),
        C: Failure("Budget", "too large"),
    }
    states = make_states(wishes, here=[A], fetching=[], failures=failures)
    # The copy that is here serves on; the condition tells that its origin is away.
    assert states == {
        "a": "ModelDownloaded",
        "b": "ModelDownloadError",
        "on-demand:c": "ModelDownloadPending",
    }
    said = make_conditions(wishes, states, failures, [], "2026-01-01T00:00:00Z")
    found = {each["type"]: (each["status"], each.get("message")) for each in said}
    assert found == {
        "Ready": ("False", "b"),
        "WithinBudget": ("False", "on-demand:c: too large"),
        "OriginsReachable": ("False", "a: no answer"),
        "ChecksumsMatch": ("False", "b: other bytes"),
        "CredentialsFound": ("True", None),
        "DiskHasRoom": ("True", None),
    }
    again = make_conditions(wishes, states, failures, said, "2026-01-02T00:00:00Z")
    assert again == said
