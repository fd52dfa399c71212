"""Which folders pods of a node keep twins in."""

from __future__ import annotations

from pathlib import Path

import pytest

from rouse.agent.plan import Known, Run, Wish
from rouse.agent.storage import Storage
from rouse.agent.twins import twin_folders
from rouse.api.localmodelnode.names import TWINS, twin_folder
from rouse.errors import EngineError

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


async def test_the_storage_has_the_folders_that_the_webhook_mounts(tmp_path: Path) -> None:
    storage = Storage(tmp_path, 10**6)
    folder = twin_folder("team-a", URI)
    assert await storage.keep_twins({folder: 1000}) == (0, [])
    (tmp_path / TWINS / folder / "a.twin").write_bytes(b"twin" * 1000)
    held, (problem,) = await storage.keep_twins({folder: 1000})
    assert held == 0
    assert "it is emptied" in problem
    with pytest.raises(EngineError, match="no folder of twins"):
        await storage.keep_twins({"../team-b": 1000})
