"""The servers that take turns: ours, and the peers of embeddings."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import orjson

from perf.deep_learning.models import SENTENCES
from perf.peers.bodies import Body
from perf.peers.contestants import Contestant
from rouse.embedded.ports import free_port

__all__ = ["embedders", "hello", "ours"]

_GPUS: Final = "CUDA_VISIBLE_DEVICES"
_QUIET: Final = {"HF_HUB_OFFLINE": "1", "TF_CPP_MIN_LOG_LEVEL": "3", _GPUS: ""}
_JSON: Final = {"content-type": "application/json"}

_FASTAPI: Final = """
import fastapi, torch, uvicorn
from transformers import pipeline

extract = pipeline("feature-extraction", model={model!r}, device="cpu")
app = fastapi.FastAPI()

@app.post("/v1/models/minilm:predict")
def embed(body: dict):
    vectors = []
    for tokens in extract(body["instances"], return_tensors=True):
        vectors.append(torch.nn.functional.normalize(tokens[0].mean(dim=0), dim=0).tolist())
    return {{"predictions": vectors}}

uvicorn.run(app, host="127.0.0.1", port={port}, access_log=False, log_level="warning")
"""


def ours(
    name: str, folder: Path, *, gpu: bool = False, environ: Mapping[str, str] | None = None
) -> Contestant:
    """Our server with the model of a folder; it sees the GPUs there are, or none."""
    http = free_port()
    argv = [sys.executable, "-m", "predictors.huggingface", f"--model_name={name}"]
    argv += [f"--model_dir={folder}", f"--http_port={http}"]
    quiet = {key: value for key, value in _QUIET.items() if not gpu or key != _GPUS}
    return Contestant(name, argv, http, environ={**quiet, **(environ or {})})


def embedders(peers: Mapping[str, Path], model: Path, scratch: Path) -> dict[str, Contestant]:
    """Servers of MiniLM by name, not yet started."""
    made = {"rouse": ours("minilm", model)}
    if "fastapi" in peers:
        made["fastapi"] = _fastapi(peers["fastapi"], model, scratch)
    if "mlserver-huggingface" in peers:
        made["mlserver"] = _mlserver(peers["mlserver-huggingface"], model, scratch)
    return made


def hello(server: str, text: str = SENTENCES[0]) -> Body:
    """The same sentence as each server wants it."""
    if server != "mlserver":
        content = orjson.dumps({"instances": [text]})
        return Body("/v1/models/minilm:predict", content, _JSON)
    tensor = {"name": "args", "shape": [1], "datatype": "BYTES", "data": [text]}
    return Body("/v2/models/minilm/infer", orjson.dumps({"inputs": [tensor]}), _JSON)


def _fastapi(python: Path, model: Path, scratch: Path) -> Contestant:
    """The shortest program that answers V1 with a pipeline: requests run in FastAPI's threads."""
    http = free_port()
    script = scratch / "fastapi_minilm.py"
    script.write_text(_FASTAPI.format(model=str(model), port=http))
    return Contestant("fastapi", [str(python), str(script)], http, environ=_QUIET)


def _mlserver(python: Path, model: Path, scratch: Path) -> Contestant:
    """MLServer's runtime in the main process. It answers the vectors of all tokens, unpooled."""
    http = free_port()
    folder = scratch / "mlserver"
    folder.mkdir()
    settings = {
        "http_port": http,
        "grpc_port": free_port(),
        "metrics_port": free_port(),
        "parallel_workers": 0,
    }
    described = {
        "name": "minilm",
        "implementation": "mlserver_huggingface.HuggingFaceRuntime",
        "parameters": {
            "extra": {
                "task": "feature-extraction",
                "pretrained_model": str(model),
                "framework": "pt",
            }
        },
    }
    (folder / "settings.json").write_bytes(orjson.dumps(settings))
    (folder / "model-settings.json").write_bytes(orjson.dumps(described))
    argv = [str(python.with_name("mlserver")), "start", str(folder)]
    return Contestant("mlserver", argv, http, cwd=folder, environ=_QUIET)
