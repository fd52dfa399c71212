"""What documentation says of OpenAI's endpoints, for a model with some of its abilities. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from predictors.openai import schemas
from predictors.openai.abilities import ABILITIES, Chats, Completes, Embeds, Reranks
from predictors.serving.model import Model
from predictors.serving.routes import Described

__all__ = ["described"]

Schema = Mapping[str, Any]

_ENDPOINTS: Final[tuple[tuple[type, str, str, Schema, Schema, Schema], ...]] = (
    (
        Completes,
        "completions",
        "Go on with a text",
        schemas.COMPLETION,
        {"prompt": "Once upon a time", "max_tokens": 8},
        schemas.TEXT,
    ),
    (
        Chats,
        "chat/completions",
        "Answer messages",
        schemas.CHAT,
        {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 8},
        schemas.TEXT,
    ),
    (
        Embeds,
        "embeddings",
        "Vectors of texts",
        schemas.EMBEDDINGS,
        {"input": ["What a fine day."]},
        schemas.VECTORS,
    ),
    (
        Reranks,
        "rerank",
        "Documents by how well they answer a query",
        schemas.RERANK,
        {"query": "How tall is the tower?", "documents": ["It is 300 m tall.", "It rains."]},
        schemas.VECTORS,
    ),
)


def described(model: Model) -> Iterator[Described]:
    """The endpoints that answer for `model`, with examples that name it."""
    if isinstance(model, ABILITIES):
        path, summary = "/openai/v1/models", "Models and adapters (OpenAI)"
        yield Described(path, summary, None, {}, schemas.MODELS, schemas.ERROR)
    for ability, path, summary, request, example, response in _ENDPOINTS:
        if isinstance(model, ability):
            yield Described(
                f"/openai/v1/{path}",
                f"{summary} (OpenAI)",
                request,
                {"model": model.name, **example},
                response,
                schemas.ERROR,
            )
