"""Deadlines, repositories, warm parents and scripts that serve nothing."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import numpy as np
import pytest

from predictors.custom.runtime import CustomRuntime
from predictors.serving.dataplane import DataPlane
from predictors.serving.inference import InferenceRequest
from predictors.serving.repository.loading import FolderRepository
from predictors.serving.tensors import Tensor
from predictors.storage import fetched

ROOT = Path(__file__).parents[3]

Serve = Callable[..., Awaitable[httpx.AsyncClient]]
Write = Callable[..., Path]


async def test_a_deadline_cancels_what_is_awaited(serve: Serve, write: Write) -> None:
    code = """
import asyncio
import threading
cancelled = threading.Event()
class M:
    async def predict(self, x):
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
"""
    client = await serve(write(code))
    module = sys.modules["model"]
    answer = await client.post(
        "/v1/models/m:predict", json={"instances": [1]}, headers={"X-Request-Timeout-Ms": "50"}
    )
    assert answer.status_code == 504
    assert await asyncio.to_thread(module.cancelled.wait, 20)


async def test_several_threads_where_the_class_wants_them(serve: Serve, write: Write) -> None:
    code = """
import threading
both = threading.Barrier(2, timeout=20)
class M:
    threads = 2
    def predict(self, x):
        both.wait()
        return x
"""
    client = await serve(write(code))
    asked = [client.post("/v1/models/m:predict", json={"instances": [n]}) for n in (1, 2)]
    answers = await asyncio.gather(*asked)
    assert [answer.json() for answer in answers] == [{"predictions": [1]}, {"predictions": [2]}]


async def test_a_repository_of_classes(tmp_path: Path) -> None:
    for name, factor in (("double", 2), ("triple", 3)):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "mine.py").write_text(
            "from mlserver import MLModel\n"
            "from mlserver.codecs import NumpyCodec\n"
            "from mlserver.types import InferenceResponse\n"
            "class Mine(MLModel):\n"
            "  async def predict(self, payload):\n"
            f"    x = NumpyCodec.decode_input(payload.inputs[0]) * {factor}\n"
            "    output = NumpyCodec.encode_output('y', x)\n"
            "    return InferenceResponse(model_name=self.name, outputs=[output])\n"
        )
        settings = {"name": name, "implementation": "mine.Mine"}
        (folder / "model-settings.json").write_text(json.dumps(settings))
    repository = FolderRepository(tmp_path, CustomRuntime(), lambda uri: fetched(uri))
    plane = DataPlane(repository=repository)
    for name, wanted in (("double", 4.0), ("triple", 6.0)):
        await plane.load(name)
        request = InferenceRequest([Tensor("x", np.array([2.0]))])
        response = await plane.infer(name, None, request)
        assert response.outputs[0].array.tolist() == [[wanted]]
    await plane.unload("double")
    await plane.unload("triple")


@pytest.mark.parametrize(
    ("code", "denied", "said"),
    [
        ("print('nothing')", "", "ended without starting a server"),
        ("", "deny", "Python code can run any code"),
    ],
)
def test_scripts_that_serve_nothing_say_so(write: Write, code: str, denied: str, said: str) -> None:
    file = write(code, "script.py") / "script.py"
    done = subprocess.run(
        [sys.executable, "-m", "predictors.custom", str(file)],
        env={**os.environ, "PYTHONPATH": str(ROOT), "ROUSE_UNSAFE_FORMATS": denied},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert said in done.stderr


def test_a_warm_parent_has_imported_what_classes_need() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    process = subprocess.Popen(
        [sys.executable, "-m", "predictors.custom", "--warm"],
        env={**os.environ, "PYTHONPATH": str(ROOT), "ROUSE_WARM_FD": str(theirs.fileno())},
        pass_fds=[theirs.fileno()],
    )
    try:
        theirs.close()
        ours.settimeout(40)
        told = json.loads(ours.recv(65536))
        assert (told["type"], told["framework"]) == ("ready", "custom")
        ours.close()
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()
