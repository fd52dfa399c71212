"""The model server beside its peers, in one run on one machine.

`python -m perf.peers [--rounds 5] [--seconds 4] [--environments DIR] [--sklearnserver DIR]`

Every server runs alone on one core (the others are stopped by SIGSTOP meanwhile), the load comes
from the other one; the servers take turns, round by round, and a figure is the median of the
rounds' ratios. KServe's sklearn server is on no package index: it is installed from its repository,
or taken from a source tree by --sklearnserver. The server "limit" is our HTTP layer with nothing in
it: it reads a body and answers the same to all.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import tempfile
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from perf.peers import bodies, load
from perf.peers.bodies import Body
from perf.peers.contestants import Contestant, contestants
from perf.peers.environments import Environments
from perf.report import Figure, publish

_V2_SERVERS: Final = ("rouse", "kserve", "kserve_nolog", "mlserver")


class Scenario(NamedTuple):
    """One kind of load; `servers` are those that answer it."""

    name: str
    body: Body
    connections: int
    servers: Sequence[str]
    grpc: bool = False


SCENARIOS: Final = (
    Scenario("v1_single_c1", bodies.v1(), 1, ("rouse", "kserve", "kserve_nolog", "litserve")),
    Scenario("v1_single_c8", bodies.v1(), 8, ("rouse", "kserve", "kserve_nolog", "litserve")),
    Scenario(
        "v1_single_c64", bodies.v1(), 64, ("rouse", "kserve", "kserve_nolog", "litserve", "limit")
    ),
    Scenario("v2_single_c1", bodies.v2(), 1, _V2_SERVERS),
    Scenario("v2_single_c8", bodies.v2(), 8, _V2_SERVERS),
    Scenario("v2_single_c64", bodies.v2(), 64, _V2_SERVERS),
    Scenario("v2_big_c8", bodies.v2(bodies.BIG_ROWS), 8, _V2_SERVERS),
    Scenario("v2_binary_c8", bodies.binary(bodies.BIG_ROWS), 8, ("rouse", "limit")),
    Scenario("grpc_single", bodies.grpc_frame(), 64, ("rouse", "kserve", "mlserver"), grpc=True),
)

_RATES: Final = {  # scenario, peer: at least so many times the peer's rate
    ("v1_single_c64", "kserve"): 8.0,
    ("v1_single_c64", "kserve_nolog"): 6.0,
    ("v1_single_c64", "litserve"): None,
    ("v1_single_c8", "kserve"): 4.0,
    ("v1_single_c8", "kserve_nolog"): None,
    ("v2_single_c64", "kserve"): 8.0,
    ("v2_single_c64", "kserve_nolog"): 6.0,
    ("v2_single_c64", "mlserver"): 8.0,
    ("v2_single_c8", "kserve"): 4.0,
    ("v2_single_c8", "mlserver"): 4.0,
    ("v2_big_c8", "kserve"): 8.0,
    ("v2_big_c8", "mlserver"): 2.2,
    ("grpc_single", "kserve"): 2.0,
    ("grpc_single", "mlserver"): 2.0,
}
_P99: Final = {  # scenario, peer: at most that share of the peer's 99th percentile
    ("v1_single_c1", "kserve"): 0.5,
    ("v2_single_c1", "kserve"): 0.5,
    ("v2_single_c1", "mlserver"): 0.5,
}
_BINARY: Final = 5.0
_RSS: Final = 0.6

Rounds = Mapping[tuple[str, str], Sequence[load.Load]]


def measure(
    servers: Mapping[str, Contestant],
    scenarios: Sequence[Scenario],
    rounds: int,
    seconds: int,
    scratch: Path,
) -> Rounds:
    """The loads of each scenario and server, one for each round."""
    loads: dict[tuple[str, str], list[load.Load]] = defaultdict(list)
    for number in range(rounds):
        for scenario in scenarios:
            for name in scenario.servers:
                one = _run(scenario, servers[name], seconds, scratch)
                loads[scenario.name, name].append(one)
                print(f"round {number + 1}  {scenario.name:<14} {name:<13} {one.rate:>9.0f} req/s")
    return loads


def _run(scenario: Scenario, server: Contestant, seconds: int, scratch: Path) -> load.Load:
    generate, port = (load.grpc, server.grpc) if scenario.grpc else (load.http, server.http)
    server.resume()
    try:
        # A second of warm-up: the rate of a server that has just been resumed says little.
        for length in (1, seconds):
            one = generate(
                port,
                scenario.body,
                connections=scenario.connections,
                seconds=length,
                scratch=scratch,
            )
        return one
    finally:
        server.pause()


def figures(loads: Rounds, rss: Mapping[str, float]) -> list[Figure]:
    """The raw rates, then the ratios with their bars."""
    made = [
        Figure(f"{scenario}_{name}", statistics.median(one.rate for one in many), "req/s")
        for (scenario, name), many in loads.items()
    ]
    made += [Figure(f"rss_{name}", value, "MB") for name, value in rss.items()]
    for (scenario, peer), bar in _RATES.items():
        if (scenario, peer) not in loads:
            continue
        ratios = _ratios(loads[scenario, "rouse"], loads[scenario, peer], lambda one: one.rate)
        made.append(_figure(f"{scenario}_vs_{peer}", ratios, bar))
    for (scenario, peer), share in _P99.items():
        if (scenario, peer) not in loads:
            continue
        ratios = _ratios(loads[scenario, "rouse"], loads[scenario, peer], lambda one: one.p99_ms)
        made.append(_figure(f"{scenario}_p99_vs_{peer}", ratios, share, at_least=False))
    if ("v2_binary_c8", "rouse") in loads and ("v2_big_c8", "rouse") in loads:
        pair = loads["v2_binary_c8", "rouse"], loads["v2_big_c8", "rouse"]
        made.append(_figure("v2_binary_vs_json", _ratios(*pair, lambda one: one.rate), _BINARY))
    for peer in ("kserve", "mlserver"):
        bar = _RSS if peer == "kserve" else None
        made.append(_figure(f"rss_vs_{peer}", [rss["rouse"] / rss[peer]], bar, at_least=False))
    return made


def _ratios(
    ours: Sequence[load.Load], theirs: Sequence[load.Load], of: Callable[[load.Load], float]
) -> list[float]:
    return [of(one) / of(other) for one, other in zip(ours, theirs, strict=True)]


def _figure(
    name: str, ratios: Sequence[float], bar: float | None, *, at_least: bool = True
) -> Figure:
    note = f"({min(ratios):.2f} to {max(ratios):.2f})"
    return Figure(name, statistics.median(ratios), "x", bar, note, at_least=at_least)


def train(python: Path, folder: Path) -> None:
    """A logistic regression on iris, written by the scikit-learn that all servers have."""
    code = (
        "import joblib; from sklearn.datasets import load_iris;"
        "from sklearn.linear_model import LogisticRegression;"
        "model = LogisticRegression(max_iter=1000).fit(*load_iris(return_X_y=True));"
        f"joblib.dump(model, {str(folder / 'model.joblib')!r})"
    )
    folder.mkdir()
    subprocess.run([python, "-c", code], check=True)


def main() -> None:
    """Install, start, measure, and print the figures."""
    parser = argparse.ArgumentParser(prog="python -m perf.peers", description=__doc__)
    default = Path.home() / ".cache" / "rouse-peers"
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--only", default="", help="scenarios whose name holds this")
    parser.add_argument("--environments", type=Path, default=default)
    parser.add_argument("--sklearnserver", type=Path, help="folder that holds the package")
    arguments = parser.parse_args()
    if lacking := load.missing_tools():
        raise SystemExit(f"perf.peers needs the Debian packages {' '.join(lacking)}")
    scenarios = [scenario for scenario in SCENARIOS if arguments.only in scenario.name]
    environments = Environments(arguments.environments, arguments.sklearnserver)
    with tempfile.TemporaryDirectory(prefix="rouse-peers-") as folder:
        scratch = Path(folder)
        train(environments.python("rouse"), scratch / "model")
        hellos = {"": bodies.v1(), "mlserver": bodies.v2()}
        with contestants(environments, scratch / "model", scratch, hellos) as servers:
            rss = {name: server.rss_mb() for name, server in servers.items()}
            loads = measure(servers, scenarios, arguments.rounds, arguments.seconds, scratch)
        publish("peers", figures(loads, rss))


if __name__ == "__main__":
    main()
