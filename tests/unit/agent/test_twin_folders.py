"""Which folders pods of a node keep twins in."""

from __future__ import annotations

from rouse.agent.plan import Known, Run, Wish
from rouse.agent.twins import twin_folders
from rouse.api.localmodelnode.names import twin_folder

URI = "https://models.example.com/iris.joblib"
MIB = 1024 * 1024


def test_who_wants_or_runs_a_model_has_a_folder_of_its_own() -> None:
    wishes = [
        Wish("a", URI, readers=frozenset({"team-a"}), scope="team-a"),
        Wish("all", f"{URI}#2", readers=None),
    ]
    known = {wishes[0].source: Known(bytes=100 * MIB)}
    # A pod that runs what is for all has one, as the others of its namespace.
    runs = [Run(f"{URI}#2", namespace="team-b"), Run(URI, namespace="team-a"), Run(URI)]
    assert twin_folders(wishes, known, runs) == {
        twin_folder("team-a", URI): 416 * MIB,
        twin_folder("team-b", f"{URI}#2"): 16 * MIB,
    }
    assert twin_folders([], {}, []) == {}
