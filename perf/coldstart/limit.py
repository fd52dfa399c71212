"""The limit of a wake-up: fork a process that has the framework, load the model, predict once.

`python -m perf.coldstart.limit MODEL_FILE` does so once for each line it reads, and answers the
seconds. It is a process of its own because a fork costs what its parent's memory is.
"""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import joblib

from rouse.errors import RouseError

__all__ = ["Limit", "limit"]

_ROW = [[5.1, 3.5, 1.4, 0.2]]


class Limit:
    """The process that forks; it rests while it is not asked."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def seconds(self) -> float:
        """From before the fork to the child's answer; raises RouseError when the process ended."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RouseError("perf.coldstart.limit ended; its error is above")
        return float(line)


@contextmanager
def limit(model_file: Path) -> Iterator[Limit]:
    """The process, for the length of the block."""
    process = subprocess.Popen(
        [sys.executable, "-m", "perf.coldstart.limit", str(model_file)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield Limit(process)
        finally:
            process.kill()


def _forked(model_file: Path) -> float:
    began = time.perf_counter()
    read_fd, write_fd = os.pipe()
    pid = os.fork()
    if pid == 0:
        label = joblib.load(model_file).predict(_ROW)
        os.write(write_fd, str(label).encode())
        os._exit(0)
    os.close(write_fd)
    answered = os.read(read_fd, 64)
    elapsed = time.perf_counter() - began
    os.close(read_fd)
    os.waitpid(pid, 0)
    if not answered:
        raise RouseError("the forked process answered nothing")
    return elapsed


def main() -> None:
    """Answer the lines of standard input."""
    model_file = Path(sys.argv[1])
    joblib.load(model_file).predict(_ROW)  # imports what a warm parent has imported
    gc.freeze()
    for _ in sys.stdin:
        print(_forked(model_file), flush=True)


if __name__ == "__main__":
    main()
