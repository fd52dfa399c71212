"""Tiny random models, saved as the hub has them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

os.environ["HF_HUB_OFFLINE"] = "1"

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from predictors.huggingface.encoder import Encoder  # noqa: E402
from predictors.huggingface.media.model import MediaModel  # noqa: E402
from predictors.huggingface.options import Options  # noqa: E402
from predictors.huggingface.runtime import HuggingFaceRuntime  # noqa: E402
from predictors.serving.contract import check  # noqa: E402
from predictors.serving.inference import InferenceRequest  # noqa: E402
from predictors.serving.protocols import v1, v2  # noqa: E402

WORDS = (
    "the a day fine bad weather is was ada lives in london paris what where of capital ##s ##ly "
    "##er this example sport politics match ended rain tall tower how it m . ? ! , 2 1 300"
)
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")

Folder = Callable[..., Path]


@pytest.fixture(scope="session")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """Makes a folder of a BERT class, once for each set of arguments."""
    made: dict[str, Path] = {}

    def make(kind: str, **config: Any) -> Path:
        key = json.dumps([kind, config], default=str)
        if key not in made:
            made[key] = tmp_path_factory.mktemp(kind)
            _save(kind, made[key], config)
        return made[key]

    return make


def _save(kind: str, folder: Path, config: dict[str, Any]) -> None:
    vocabulary = [*SPECIAL, *WORDS.split()]
    (folder / "vocab.txt").write_text("\n".join(vocabulary))
    tokenizer = transformers.BertTokenizer(str(folder / "vocab.txt"), model_max_length=64)
    tokenizer.save_pretrained(folder)
    torch.manual_seed(7)
    if "id2label" in config:
        config = {**config, "label2id": {name: key for key, name in config["id2label"].items()}}
    module = getattr(transformers, kind)(
        transformers.BertConfig(
            vocab_size=len(vocabulary),
            hidden_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=32,
            max_position_embeddings=64,
            initializer_range=0.5,
            **config,
        )
    )
    module.save_pretrained(folder)


@pytest.fixture
def serve() -> Iterator[Callable[..., Any]]:
    """Loads the model of a folder; unloaded at the end."""
    models: list[Encoder | MediaModel] = []

    def load(folder: Path, *flags: str) -> Any:
        model: Any = HuggingFaceRuntime(Options.of(flags, {})).model("m", folder)
        model.load()
        model.ready = True
        models.append(model)
        return model

    yield load
    for model in models:
        model.unload()


async def ask_v1(model: Any, body: dict[str, Any]) -> Any:
    """The predictions for a body of V1, through the protocol's own code."""
    request = v1.decode(model, json.dumps(body).encode(), {})
    check(model, request)
    response = await model.infer(request)
    return json.loads(v1.encode(model, request, response).body)["predictions"]


async def ask_v2(model: Any, inputs: dict[str, list[Any]], **parameters: Any) -> dict[str, Any]:
    """The outputs for BYTES inputs of V2, by name."""
    body = {
        "inputs": [
            {"name": name, "datatype": "BYTES", "shape": [len(values)], "data": values}
            for name, values in inputs.items()
        ],
        "parameters": parameters,
    }
    request: InferenceRequest = v2.decode(model, json.dumps(body).encode(), {})
    check(model, request)
    response = await model.infer(request)
    answer = json.loads(v2.encode(model, request, response).body)
    return {each["name"]: each for each in answer["outputs"]}


@pytest.fixture
def v1_ask() -> Callable[..., Any]:
    """`ask_v1`."""
    return ask_v1


@pytest.fixture
def v2_ask() -> Callable[..., Any]:
    """`ask_v2`."""
    return ask_v2
