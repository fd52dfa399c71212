"""A transformer that says which release of it answered, and counts in other units."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from transformers_pre import Transformer


class Release(Transformer):
    """Takes millimetres, asks in centimetres, and stamps the answer."""

    def preprocess(self, payload: dict[str, Any], headers: Mapping[str, str]) -> dict[str, Any]:
        return {"instances": [[value / 10 for value in row] for row in payload["instances"]]}

    async def postprocess(
        self, response: dict[str, Any], headers: Mapping[str, str]
    ) -> dict[str, Any]:
        return {**response, "release": self.options["release"]}
