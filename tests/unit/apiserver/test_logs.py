from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from rouse.embedded.apiserver.logs import log_files, parse_line, since_offset, tail_offset
from rouse.embedded.apiserver.memory import memory_api

PODS = "/api/v1/namespaces/default/pods"
NOW = datetime(2026, 1, 1, 0, 0, 10, tzinfo=UTC)


def cri(second: int, text: str, stream: str = "stdout", tag: str = "F") -> bytes:
    return f"2026-01-01T00:00:{second:02d}.123456789Z {stream} {tag} {text}\n".encode()


def test_lines_lose_their_frame() -> None:
    assert parse_line(cri(1, "hello  you"), timestamps=False) == b"hello  you\n"
    assert parse_line(cri(1, "half", tag="P"), timestamps=False) == b"half"
    assert parse_line(cri(1, "x"), timestamps=True) == b"2026-01-01T00:00:01.123456789Z x\n"
    assert parse_line(b"no frame at all\n", timestamps=False) == b"no frame at all\n"
    assert parse_line(cri(1, ""), timestamps=False) == b"\n"


@pytest.mark.parametrize("lines", [1, 3, 50, 5000])
@pytest.mark.parametrize("wanted", [0, 1, 2, 10, 10_000])
def test_the_tail_is_found_from_behind(lines: int, wanted: int) -> None:
    rows = [cri(1, f"line {number} " + "x" * 40) for number in range(lines)]
    file = io.BytesIO(b"".join(rows))
    offset = tail_offset(file, wanted, 0)
    assert file.getvalue()[offset:] == b"".join(rows[max(0, lines - wanted) :] if wanted else [])


def test_pieces_of_a_line_count_once() -> None:
    rows = [cri(1, "a"), cri(2, "b1", tag="P"), cri(2, "b2"), cri(3, "c")]
    file = io.BytesIO(b"".join(rows))
    assert file.getvalue()[tail_offset(file, 2, 0) :] == b"".join(rows[1:])


def test_lines_since_a_moment() -> None:
    file = io.BytesIO(b"".join(cri(second, "x") for second in (1, 3, 5)))
    moment = datetime(2026, 1, 1, 0, 0, 3, tzinfo=UTC)
    assert since_offset(file, moment) == len(cri(1, "x"))


def test_the_newest_start_is_last(tmp_path: Path) -> None:
    for number in (0, 2, 10):
        (tmp_path / f"{number}.log").touch()
    (tmp_path / "notes.txt").touch()
    assert [path.name for path in log_files(tmp_path)] == ["0.log", "2.log", "10.log"]
    assert log_files(tmp_path / "none") == []


@pytest.fixture
async def logged(tmp_path: Path) -> AsyncIterator[tuple[httpx.AsyncClient, Path]]:
    async with memory_api(manifests=False, logs=tmp_path, clock=lambda: NOW) as (_, api):
        body: dict[str, Any] = {
            "metadata": {"name": "p"},
            "spec": {"nodeName": "n", "containers": [{"name": "c", "image": "i"}]},
        }
        await api.post(PODS, json=body)
        folder = tmp_path / "default_p" / "c"
        folder.mkdir(parents=True)
        (folder / "0.log").write_bytes(cri(1, "earlier life"))
        (folder / "1.log").write_bytes(b"".join(cri(second, f"at {second}") for second in (2, 8)))
        yield api, folder


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ({}, "at 2\nat 8\n"),
        ({"container": "c"}, "at 2\nat 8\n"),
        ({"previous": "true"}, "earlier life\n"),
        ({"tailLines": "1"}, "at 8\n"),
        ({"tailLines": "0"}, ""),
        ({"sinceSeconds": "5"}, "at 8\n"),
        ({"sinceTime": "2026-01-01T00:00:05Z"}, "at 8\n"),
        ({"limitBytes": "3"}, "at "),
        ({"timestamps": "true", "tailLines": "1"}, "2026-01-01T00:00:08.123456789Z at 8\n"),
    ],
)
async def test_what_of_a_log_is_shown(
    logged: tuple[httpx.AsyncClient, Path], query: dict[str, str], text: str
) -> None:
    answer = await logged[0].get(f"{PODS}/p/log", params=query)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain"
    assert answer.text == text


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ({"container": "x"}, "container x is not valid for pod p"),
        ({"tailLines": "-1"}, "tailLines"),
        ({"sinceTime": "yesterday"}, "sinceTime"),
        ({"follow": "perhaps"}, "not a boolean"),
    ],
)
async def test_bad_questions(
    logged: tuple[httpx.AsyncClient, Path], query: dict[str, str], told: str
) -> None:
    answer = await logged[0].get(f"{PODS}/p/log", params=query)
    assert answer.status_code == 400
    assert told in answer.json()["message"]


async def test_a_pod_that_has_not_started_says_so(logged: tuple[httpx.AsyncClient, Path]) -> None:
    api, _ = logged
    body = {
        "metadata": {"name": "q"},
        "spec": {"containers": [{"name": "a", "image": "i"}, {"name": "b", "image": "i"}]},
    }
    await api.post(PODS, json=body)
    choose = await api.get(f"{PODS}/q/log")
    assert "choose one of: ['a', 'b']" in choose.json()["message"]
    waiting = await api.get(f"{PODS}/q/log", params={"container": "a"})
    assert waiting.status_code == 400
    assert "waiting to start: ContainerCreating" in waiting.json()["message"]
    none = await api.get(f"{PODS}/q/log", params={"container": "a", "previous": "true"})
    assert "previous terminated container" in none.json()["message"]
    assert (await api.get(f"{PODS}/none/log")).status_code == 404


async def test_a_followed_log_ends_with_its_pod(logged: tuple[httpx.AsyncClient, Path]) -> None:
    api, folder = logged
    lines = []
    async with asyncio.timeout(5):
        async with api.stream("GET", f"{PODS}/p/log", params={"follow": "true"}) as response:
            async for line in response.aiter_lines():
                lines.append(line)
                if line == "at 8":
                    with (folder / "1.log").open("ab") as file:
                        file.write(cri(9, "at 9"))
                if line == "at 9":
                    await api.delete(f"{PODS}/p", params={"gracePeriodSeconds": "0"})
    assert lines == ["at 2", "at 8", "at 9"]


async def test_a_followed_log_ends_when_its_container_starts_anew(
    logged: tuple[httpx.AsyncClient, Path],
) -> None:
    api, folder = logged
    lines = []
    async with (
        asyncio.timeout(5),
        api.stream("GET", f"{PODS}/p/log", params={"follow": "true"}) as response,
    ):
        async for line in response.aiter_lines():
            lines.append(line)
            if line == "at 8":
                with (folder / "1.log").open("ab") as file:
                    file.write(cri(9, "last words"))
                (folder / "2.log").write_bytes(cri(9, "a new life"))
    assert lines == ["at 2", "at 8", "last words"]
