"""Flowers measured in millimetres, for a model that was trained in centimetres."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from transformers_pre import InvalidInputError, Transformer

SPECIES = ("setosa", "versicolor", "virginica")


class Millimetres(Transformer):
    """Divides by ten before the model, and names the species after it."""

    def preprocess(self, payload: dict[str, Any], headers: Mapping[str, str]) -> dict[str, Any]:
        if "flowers" not in payload:
            raise InvalidInputError('The body must have "flowers", rows of millimetres.')
        return {"instances": [[value / 10 for value in row] for row in payload["flowers"]]}

    async def postprocess(
        self, response: dict[str, Any], headers: Mapping[str, str]
    ) -> dict[str, Any]:
        return {"species": [SPECIES[label] for label in response["predictions"]]}
