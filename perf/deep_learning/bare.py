"""What transformers does by itself, in a process of its own that takes turns with the servers.

`python -m perf.deep_learning.bare encode|generate FOLDER` reads a number of seconds a line, and
answers a line of JSON each: ``p50_ms`` of the model's call, or ``rate``, tokens/s of `generate`.
"""

from __future__ import annotations

import itertools
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from perf.peers.contestants import SERVER_CORE

__all__ = ["Bare", "bare"]


class Bare:
    """The process; it computes only while it is asked."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def measure(self, seconds: int) -> float:
        """Compute for that long; the figure. Raises SystemExit when the process fails."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(b"%d\n" % seconds)
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit("perf.deep_learning.bare ended; its error is above")
        return float(orjson.loads(line)["figure"])


@contextmanager
def bare(kind: str, folder: Path) -> Iterator[Bare]:
    """The process on the servers' core, for the length of the block."""
    argv = [sys.executable, "-m", "perf.deep_learning.bare", kind, str(folder)]
    process = subprocess.Popen(
        ["taskset", "-c", SERVER_CORE, *argv],
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        yield Bare(process)
    finally:
        process.kill()
        process.wait(10)


def _encoding(folder: Path) -> Callable[[float], float]:
    import torch
    from transformers import AutoModel, AutoTokenizer

    from perf.deep_learning.models import SENTENCES

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model: Any = AutoModel.from_pretrained(folder)
    model.eval()
    sentences = itertools.cycle([tokenizer(text, return_tensors="pt") for text in SENTENCES])

    @torch.inference_mode()
    def run(seconds: float) -> float:
        spent = []
        until = time.perf_counter() + seconds
        while time.perf_counter() < until:
            given = next(sentences)
            began = time.perf_counter()
            model(**given)
            spent.append(time.perf_counter() - began)
        return statistics.median(spent) * 1e3

    return run


def _generating(folder: Path) -> Callable[[float], float]:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from perf.deep_learning.load import lengths
    from perf.deep_learning.models import prompt

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model: Any = AutoModelForCausalLM.from_pretrained(folder)
    model.eval()
    wanted = zip(itertools.count(), lengths(), strict=False)

    @torch.inference_mode()
    def run(seconds: float) -> float:
        made = 0
        began = time.perf_counter()
        while time.perf_counter() - began < seconds:
            number, length = next(wanted)
            given = tokenizer(prompt(number), return_tensors="pt", return_token_type_ids=False)
            model.generate(**given, do_sample=False, min_new_tokens=length, max_new_tokens=length)
            made += length
        return made / (time.perf_counter() - began)

    return run


def main() -> None:
    """Answer the lines of standard input."""
    kind, folder = sys.argv[1], Path(sys.argv[2])
    run = {"encode": _encoding, "generate": _generating}[kind](folder)
    run(1)
    for line in sys.stdin:
        print(orjson.dumps({"figure": run(float(line))}).decode(), flush=True)


if __name__ == "__main__":
    main()
