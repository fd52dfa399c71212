"""``python -m predictors.storage`` as a process: the platform and the predictors share no code."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any, Final

import orjson

from rouse.agent.plan import Copy
from rouse.agent.views import View
from rouse.errors import EngineError

__all__ = ["Event", "Storage"]

logger = logging.getLogger(__name__)

Event = Mapping[str, Any]
"""One line of the process' answer; see `predictors.storage.command`."""

_LINE_BYTES: Final = 1024 * 1024
_QUICK_S: Final = 120.0
_PRIVATE: Final = ("models", "partial", "latest", "blobs")
_TOLD_BYTES: Final = 2000
_OPENS: Final = ("AWS_", "S3_", "AZURE_", "AZ_", "GOOGLE_", "HDFS_", "STORAGE_")
_OPENS_TOO: Final = frozenset({"HF_TOKEN", "awsAnonymousCredential"})


class Storage:
    """The cache in ``folder``, which holds at most ``budget`` bytes.

    ``env`` is laid over this process' environment: credentials, a proxy. ``twins`` has models
    translated once they are there: where who wrote them is trusted.
    """

    def __init__(
        self,
        folder: Path,
        budget: int,
        *,
        env: Mapping[str, str] | None = None,
        twins: bool = False,
        python: str = sys.executable,
    ) -> None:
        self.folder = folder
        self.budget = budget
        self._env = {**os.environ, **(env or {})}
        self._fetch = ("fetch", "--twin") if twins else ("fetch",)
        self._python = python

    async def fetch(
        self,
        uri: str,
        peers: Sequence[str] = (),
        credentials: Mapping[str, str] | None = None,
        scope: str = "",
    ) -> AsyncGenerator[Event, None]:
        """Bring a model; yields the process' events. Closed early, the process is ended.

        With ``credentials`` (variables) those of this process' own environment do not count.
        ``scope`` says whose they are: what they open is a copy of its own.
        """
        options = [word for peer in peers for word in ("--peer", peer)]
        options += ["--scope", scope] if scope else []
        env = None if credentials is None else {**_closed(self._env), **credentials}
        async with aclosing(self._run(*options, *self._fetch, uri, env=env)) as events:
            async for event in events:
                yield event

    async def copies(self) -> tuple[list[Copy], int]:
        """What is there, whole, and how many bytes of it are stored once for several."""
        events = await self._quick("list")
        copies = [
            Copy(each["digest"], each["bytes"], each["fetched_at"], each["content"])
            for each in events
            if each["event"] == "model"
        ]
        stored = sum(each["bytes"] for each in events if each["event"] == "cache")
        return copies, max(0, sum(each.bytes for each in copies) - stored)

    async def share(self, views: Mapping[str, View]) -> list[str]:
        """Let readers' folders have these copies and no others; why some could not be had."""
        asked = {
            name: {"read": sorted(view.read), "hold": sorted(view.hold)}
            for name, view in views.items()
        }
        for told in await self._quick("share", given=orjson.dumps(asked)):
            if told["event"] == "shared":
                return list(told["problems"])
            raise EngineError(f"the folders that pods read cannot be written: {told['message']}")
        raise EngineError("the storage process did not say whether pods can read their models")

    async def keep_twins(self, folders: Mapping[str, int]) -> tuple[int, list[str]]:
        """Have these folders for twins, each of so many bytes at most, and no others.

        Their bytes, and what could not be done.
        """
        for told in await self._quick("twins", given=orjson.dumps(folders)):
            if told["event"] == "twins":
                return int(told["bytes"]), list(told["problems"])
            raise EngineError(f"the folders of twins cannot be written: {told['message']}")
        raise EngineError("the storage process did not say what twins there are")

    def close(self) -> None:
        """Let nobody else read what is for no one in particular; raises OSError."""
        for name in _PRIVATE:
            folder = self.folder / name
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o700)

    async def evict(self, digests: Sequence[str]) -> None:
        """Remove copies."""
        if digests:
            await self._quick("evict", *digests)

    async def sweep(self, older_than_s: float) -> None:
        """Remove downloads that nobody has gone on with for so long."""
        await self._quick("sweep", "--older_than", str(older_than_s))

    async def verify(self) -> list[str]:
        """Read every copy, remove the damaged ones; their digests."""
        return [each["digest"] for each in await self._quick("verify", limit_s=3600.0)]

    async def _quick(
        self, *words: str, limit_s: float = _QUICK_S, given: bytes = b""
    ) -> list[Event]:
        try:
            async with asyncio.timeout(limit_s), aclosing(self._run(*words, given=given)) as events:
                return [event async for event in events]
        except TimeoutError as error:
            message = f"the cache {self.folder} did not answer {words[0]} within {limit_s:g} s"
            raise EngineError(f"{message}; look at its disk") from error

    async def _run(
        self, *words: str, env: Mapping[str, str] | None = None, given: bytes = b""
    ) -> AsyncGenerator[Event, None]:
        command = [self._python, "-m", "predictors.storage", "--cache", str(self.folder)]
        process = await asyncio.create_subprocess_exec(
            *command,
            "--budget",
            str(self.budget),
            *words,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=self._env if env is None else env,
            limit=_LINE_BYTES,
        )
        assert process.stdin is not None  # noqa: S101 - they are pipes
        assert process.stdout is not None  # noqa: S101
        assert process.stderr is not None  # noqa: S101
        # Nothing waits for it to be read: what is asked is small, and the loop writes it.
        process.stdin.write(given)
        process.stdin.close()
        errors = asyncio.create_task(_tail(process.stderr))
        told = False
        try:
            async for line in process.stdout:
                told = True
                yield orjson.loads(line)
            code = await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
            said = (await errors).decode(errors="replace").strip()
        if said:
            logger.info("predictors.storage %s: %s", words[0], said)
        if code and not told and words[0] != "verify":
            raise EngineError(f"predictors.storage ended with {code}: {said or 'it said nothing'}")


def _closed(env: Mapping[str, str]) -> dict[str, str]:
    """An environment without what opens stores: a cache's own credentials stand for themselves."""
    return {
        name: value
        for name, value in env.items()
        if not (name.startswith(_OPENS) or name in _OPENS_TOO or name.endswith("-headers"))
    }


async def _tail(stream: asyncio.StreamReader) -> bytes:
    """Read all of a stream, keep its end."""
    kept = b""
    while chunk := await stream.read(65536):
        kept = (kept + chunk)[-_TOLD_BYTES:]
    return kept
