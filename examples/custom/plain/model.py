"""Sentiment by a list of words: the smallest model that is code."""

import json
from pathlib import Path


class Sentiment:
    """Scores texts from -1 to 1; the words' weights lie beside this file."""

    inputs = ({"name": "text", "datatype": "BYTES", "shape": [-1]},)
    outputs = ({"name": "score", "datatype": "FP64", "shape": [-1]},)

    def load(self, folder: Path) -> None:
        self.weights: dict[str, float] = json.loads((folder / "weights.json").read_text())

    def predict(self, texts: list[str]) -> list[float]:
        return [self._score(text) for text in texts]

    def _score(self, text: str) -> float:
        found = [self.weights[word] for word in text.lower().split() if word in self.weights]
        return sum(found) / len(found) if found else 0.0
