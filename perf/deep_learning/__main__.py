"""Embeddings and text generation beside peers and limits, in one run on one machine.

`python -m perf.deep_learning [--rounds 3] [--seconds 4] [--environments DIR] [--install]`

Servers run on one core, one at a time, with the load on the other core; they take turns, round by
round, and a figure is the median of the rounds' ratios. MiniLM is the real one. Peers are a
transformers pipeline behind FastAPI, and MLServer's huggingface runtime; the limits are the model's
call and `generate` without a server. Waking and memory are measured on the embedded engine. Where
torch sees a GPU, embeddings and generation are measured there in bfloat16, beside the limit that
the bandwidth of its memory sets.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from perf.deep_learning.bare import bare
from perf.deep_learning.environments import installed
from perf.deep_learning.gpu import on_gpu
from perf.deep_learning.load import Posted, Streamed, post, stream
from perf.deep_learning.models import SENTENCES, minilm, random_bert, random_llama
from perf.deep_learning.replicas import more_replicas, wake_ups
from perf.deep_learning.servers import embedders, hello, ours
from perf.peers.bodies import Body
from perf.peers.contestants import Contestant
from perf.peers.load import missing_tools
from perf.report import Figure, percentile, publish

_CLIENTS: Final = 32
_STREAMS: Final = 16
_PARTS: Final = ("embeddings", "generation", "wake", "memory", "gpu")


def embeddings(peers: Mapping[str, Path], rounds: int, seconds: int, scratch: Path) -> list[Figure]:
    """MiniLM with 32 clients beside the peers, and with one beside the model's bare call."""
    servers = embedders(peers, minilm(), scratch)
    many: dict[str, list[Posted]] = defaultdict(list)
    lone, calls = [], []
    with ExitStack() as stack:
        limit = stack.enter_context(bare("encode", minilm()))
        for name, server in servers.items():
            stack.enter_context(server.running(scratch / f"{name}.log", hello(name)))
        for number in range(rounds):
            for name, server in servers.items():
                bodies = [hello(name, text) for text in SENTENCES]
                server.resume()
                _settle(server.http, bodies, scratch)
                one = post(server.http, bodies, clients=_CLIENTS, seconds=seconds, scratch=scratch)
                many[name].append(one)
                server.pause()
                print(f"round {number + 1}  {name:<10} {one.rate:8.1f} sentences/s")
            for _ in range(seconds):
                lone.append(_alone(servers["rouse"], scratch))
                calls.append(limit.measure(1))
            print(f"round {number + 1}  one client {lone[-1]:.2f} ms, model {calls[-1]:.2f} ms")
    made = [
        Figure(f"minilm_32_{name}", statistics.median(one.rate for one in all_), "texts/s")
        for name, all_ in many.items()
    ]
    made += [
        _ratio(
            f"minilm_32_vs_{name}",
            [mine.rate for mine in many["rouse"]],
            [one.rate for one in many[name]],
            2.0,
            at_least=True,
        )
        for name in servers
        if name != "rouse"
    ]
    made.append(Figure("minilm_1_ms", statistics.median(lone), "ms"))
    made.append(Figure("minilm_bare_ms", statistics.median(calls), "ms"))
    made.append(_ratio("minilm_1_over_bare", lone, calls, 1.15))
    return made


def generation(rounds: int, seconds: int, scratch: Path) -> list[Figure]:
    """A small Llama with 16 clients that stream, with a lone one, and without a server."""
    folder = scratch / "llama"
    random_llama(folder)
    server = ours("llama", folder)
    asked = b'{"model": "llama", "prompt": "w5 w6", "max_tokens": 1}'
    greeting = Body("/openai/v1/completions", asked, hello("").headers)
    all_, lone, sequential = [], [], []
    with bare("generate", folder) as limit, server.running(scratch / "llama.log", greeting):
        for number in range(rounds):
            server.resume()
            alone = asyncio.run(stream(server.http, clients=1, warm_up=1, seconds=seconds))
            lone.append(_median_first(alone))
            busy = asyncio.run(
                stream(server.http, clients=_STREAMS, warm_up=seconds / 2, seconds=seconds)
            )
            all_.append(busy)
            server.pause()
            sequential.append(limit.measure(seconds))
            print(
                f"round {number + 1}  16 streams {busy.rate:.0f} tokens/s, generate "
                f"{sequential[-1]:.0f}; first token {_median_first(busy) * 1e3:.0f} ms, "
                f"alone {lone[-1] * 1e3:.0f}"
            )
    rates = [one.rate for one in all_]
    firsts = [_median_first(one) for one in all_]
    return [
        Figure("generate_16", statistics.median(rates), "tokens/s"),
        Figure("generate_sequential", statistics.median(sequential), "tokens/s"),
        _ratio("generate_16_vs_sequential", rates, sequential, 4.0, at_least=True),
        Figure("ttft_16_ms", statistics.median(firsts) * 1e3, "ms"),
        Figure("ttft_1_ms", statistics.median(lone) * 1e3, "ms"),
        _ratio("ttft_16_over_1", firsts, lone, 2.0),
    ]


def waking(rounds: int) -> list[Figure]:
    """From zero, through the gateway."""
    woken = wake_ups(minilm(), rounds, services=5)
    print(f"median of each phase, ms: {woken.told()}")
    return [
        Figure("wake_minilm_p50_ms", statistics.median(woken.seconds) * 1e3, "ms", 400),
        Figure("wake_minilm_p99_ms", percentile(woken.seconds, 99) * 1e3, "ms"),
        Figure("plain_start_minilm_ms", statistics.median(woken.plain) * 1e3, "ms"),
        Figure("import_torch_ms", statistics.median(woken.torch) * 1e3, "ms"),
    ]


def memory() -> list[Figure]:
    """What replicas of one model add: of BERT base, and of MiniLM, where the process is half."""
    with tempfile.TemporaryDirectory(prefix="rouse-bert-") as folder:
        random_bert(Path(folder))
        base, third = more_replicas(Path(folder))
    small, _ = more_replicas(minilm())
    return [
        Figure("second_replica_memory_share", base, "of weights", 0.3, "BERT base, 438 MB"),
        Figure("third_replica_memory_share", third, "of weights", None, "BERT base, 438 MB"),
        Figure("second_replica_minilm_memory_share", small, "of weights", 0.3, "91 MB"),
    ]


def _alone(server: Contestant, scratch: Path) -> float:
    """The median latency of one client in a second, ms."""
    server.resume()
    bodies = [hello(server.name, text) for text in SENTENCES]
    one = post(server.http, bodies, clients=1, seconds=1, scratch=scratch)
    server.pause()
    return one.p50_ms


def _settle(port: int, bodies: Sequence[Body], scratch: Path) -> None:
    """A second of warm-up: a server that has just been resumed says little."""
    post(port, bodies, clients=_CLIENTS, seconds=1, scratch=scratch)


def _median_first(one: Streamed) -> float:
    if not one.first:
        raise SystemExit("no text began in the window; give more --seconds")
    return statistics.median(one.first)


def _ratio(
    name: str,
    ours_: Sequence[float],
    theirs: Sequence[float],
    bar: float,
    *,
    at_least: bool = False,
) -> Figure:
    ratios = [one / other for one, other in zip(ours_, theirs, strict=True)]
    note = f"({min(ratios):.2f} to {max(ratios):.2f})"
    return Figure(name, statistics.median(ratios), "x", bar, note, at_least=at_least)


def main() -> None:
    """Install, measure, and print the figures; one that a missing peer takes away is null."""
    parser = argparse.ArgumentParser(prog="python -m perf.deep_learning", description=__doc__)
    default = Path.home() / ".cache" / "rouse-peers"
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--environments", type=Path, default=default)
    parser.add_argument("--install", action="store_true", help="make the peers' environments")
    parser.add_argument("--only", choices=_PARTS, action="append", help="a part; may be repeated")
    arguments = parser.parse_args()
    if lacking := missing_tools():
        raise SystemExit(f"perf.deep_learning needs the Debian packages {' '.join(lacking)}")
    parts = arguments.only or _PARTS
    rounds, seconds = arguments.rounds, arguments.seconds
    made: list[Figure] = []
    missing: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="rouse-deep-learning-") as folder:
        scratch = Path(folder)
        if "embeddings" in parts:
            peers, missing = installed(arguments.environments, install=arguments.install)
            made += embeddings(peers, rounds, seconds, scratch)
        if "generation" in parts:
            made += generation(rounds, 2 * seconds, scratch)
        if "gpu" in parts:
            made += on_gpu(rounds, seconds, scratch)
    if "wake" in parts:
        made += waking(rounds)
    if "memory" in parts:
        made += memory()
    for peer, reason in missing.items():
        print(f"no figure minilm_32_vs_{peer.partition('-')[0]}: {reason}")
    publish("deep_learning", made)


if __name__ == "__main__":
    main()
