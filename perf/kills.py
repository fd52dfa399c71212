"""python -m perf.kills: a node's cache whose storage process is killed again and again.

A model is fetched from a local server, and the process gets SIGKILL at a random moment of the time
that a whole fetch takes, from its start to its end. After each kill every published entry is held
to its checksums, and the bytes on the disk to the budget. Both counts have to be 0.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

from perf.download import make, origin
from perf.report import Figure, publish
from predictors.storage.budget import disk_bytes
from predictors.storage.cache import Cache
from predictors.storage.checksums import verify
from predictors.storage.errors import ChecksumError

_SLACK = 1024 * 1024
"""Journals, manifests and locks, which are no model."""


def killed(size: int, kills: int, folder: Path, seed: int) -> tuple[int, int, int]:
    """How many entries were corrupt, how often the budget did not hold, and how many kills hit."""
    dice = random.Random(seed)
    corrupt = over = hit = 0
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        path = Path(scratch) / "model.bin"
        make(path, size)
        wanted = "sha256:" + subprocess.check_output(["sha256sum", str(path)], text=True).split()[0]
        budget = size + size // 10
        cache = Cache(Path(scratch) / "cache")
        with origin(path) as port:
            command = [sys.executable, "-m", "predictors.storage", "--cache", str(cache.root)]
            command += ["--budget", str(budget), "fetch", f"http://127.0.0.1:{port}/model.bin"]
            began = perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            whole = perf_counter() - began
            while hit < kills:
                for entry in list(cache.entries()):
                    cache.remove(entry.digest)
                with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
                    try:
                        process.wait(dice.uniform(0, 0.9 * whole))
                    except subprocess.TimeoutExpired:
                        process.kill()
                        hit += 1
                for entry in cache.entries():
                    try:
                        verify(entry.folder / "model.bin", wanted, entry.digest)
                    except ChecksumError:
                        corrupt += 1
                over += disk_bytes(cache.root) > budget + _SLACK
    return corrupt, over, hit


def main(argv: Sequence[str] | None = None) -> int:
    """The command; 1 when a count is not 0."""
    parser = argparse.ArgumentParser(prog="python -m perf.kills", description=__doc__)
    parser.add_argument("--bytes", type=int, default=10**9)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args(argv)
    corrupt, over, hit = killed(given.bytes, given.kills, given.folder, given.seed)
    publish(
        "kills",
        [
            Figure("agent_kills", hit, "", note="at random moments"),
            Figure("agent_kills_corrupt", corrupt, "", 0),
            Figure("agent_kills_over_budget", over, "", 0),
        ],
    )
    return 1 if corrupt or over else 0


if __name__ == "__main__":
    sys.exit(main())
