"""Wake-ups from zero through the gateway, beside their limit and what a start as a process costs.

`python -m perf.coldstart [--services 10] [--rounds 5] [--quick] [--environments DIR]
[--sklearnserver DIR] [--install]`

Copies of the iris service, and fewer of XGBoost's and of MiniLM's, sleep at zero and are woken one
after the other. They take turns, round by round, with

- the limit: fork a process that has imported the framework, load the model, predict once;
- processes started without a warm parent, exec to first answer: ours with its twin and without,
  and KServe's sklearn server (`perf.twins`).

Then a hundred services are woken within one second (`perf.wake_many`), and single rows are timed by
twin and by estimator (`perf.twins`). A figure whose need is absent is null, with the reason.
"""

from __future__ import annotations

import argparse
import logging
import statistics
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path

from perf import twins, wake_many
from perf.coldstart.kserve import kserve
from perf.coldstart.limit import limit
from perf.coldstart.waking import KINDS, Wakes, lay_out, wait_asleep
from perf.harness import SHORT_WINDOWS, engine
from perf.report import Figure, percentile, publish

_MANY = 100


def measure(starts: twins.Starts, services: int, rounds: int) -> list[Figure]:
    """Rounds of wake-ups, limits and started processes."""
    lacking = {kind.name: kind.lacking() for kind in KINDS}
    kinds = [kind for kind in KINDS if not lacking[kind.name]]
    woken, limits = Wakes(), list[float]()
    with engine(windows=SHORT_WINDOWS) as under_test:
        model_file = lay_out(under_test, kinds, services)
        with limit(model_file) as bare:
            for number in range(rounds):
                wait_asleep(under_test)
                starts.round()
                woken.wake_round(under_test, kinds, services, lambda: limits.append(bare.seconds()))
                print(f"round {number + 1}  " + _shown(woken), flush=True)
    print(f"phases of a wake-up, medians in ms:\n{woken.told()}")
    return [
        *_iris(woken, limits),
        _against_kserve(woken, starts),
        *_other(woken, "iris-xgboost", "xgboost", 60, lacking["iris-xgboost"]),
        *_other(woken, "minilm", "minilm", 300, lacking["minilm"]),
        *starts.figures(),
    ]


def _iris(woken: Wakes, limits: Sequence[float]) -> list[Figure]:
    seconds = woken.seconds("iris")
    return [
        Figure("wake_iris_p50_ms", statistics.median(seconds) * 1e3, "ms", 40),
        Figure("wake_iris_p99_ms", percentile(seconds, 99) * 1e3, "ms", 120),
        Figure("wake_iris_limit_ms", statistics.median(limits) * 1e3, "ms"),
        Figure("wakes", len(seconds), "count"),
    ]


def _against_kserve(woken: Wakes, starts: twins.Starts) -> Figure:
    """How many times as long KServe's process takes; each round has its ratio."""
    name, bar = "wake_iris_vs_kserve_process", 40
    theirs = starts.milliseconds["kserve"]
    if not theirs:
        return Figure(name, None, "x", bar, starts.no_kserve, at_least=True)
    pairs = zip(theirs, woken.rounds["iris"], strict=True)
    ratios = [process / 1e3 / statistics.median(ours) for process, ours in pairs]
    note = f"({min(ratios):.1f} to {max(ratios):.1f})"
    return Figure(name, statistics.median(ratios), "x", bar, note, at_least=True)


def _other(woken: Wakes, kind: str, name: str, bar: float, lacking: str) -> list[Figure]:
    """Median and worst of a kind's wake-ups, or why there are none."""
    milliseconds = [one * 1e3 for one in woken.seconds(kind)]
    median = statistics.median(milliseconds) if milliseconds else None
    worst = max(milliseconds) if milliseconds else None
    return [
        Figure(f"wake_{name}_p50_ms", median, "ms", bar, lacking),
        Figure(f"wake_{name}_max_ms", worst, "ms", None, lacking or f"of {len(milliseconds)}"),
    ]


def _shown(woken: Wakes) -> str:
    return ", ".join(
        f"{kind} {statistics.median(all_[-1]) * 1e3:.1f} ms" for kind, all_ in woken.rounds.items()
    )


def _many(quick: bool) -> list[Figure]:
    if not quick:
        return wake_many.figures(_MANY, wake_many.SPREAD_S)
    left_out = "left out by --quick"
    return [
        Figure("wake_100_p99_s", None, "s", 5, left_out),
        Figure("wake_100_failed", None, "requests", 0, left_out),
    ]


def _starts(folder: Path, options: argparse.Namespace) -> twins.Starts:
    """Ours, and KServe's where it is there and answers."""
    try:
        peer = kserve(options.environments, options.sklearnserver, folder, install=options.install)
    except LookupError as error:
        return twins.Starts(folder, None, str(error))
    return twins.Starts(folder, peer)


def main() -> None:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(
        prog="python -m perf.coldstart",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    default = Path.home() / ".cache" / "rouse-peers"
    parser.add_argument("--services", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="two rounds, no hundred services")
    parser.add_argument("--environments", type=Path, default=default)
    parser.add_argument("--sklearnserver", type=Path, help="folder that holds the package")
    parser.add_argument("--install", action="store_true", help="make KServe's environment")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory(prefix="rouse-coldstart-") as folder:
        starts = _starts(Path(folder), options)
        made = measure(starts, options.services, 2 if options.quick else options.rounds)
        made += _many(options.quick)
        made += twins.rate_figures(Path(folder), quick=options.quick)
    publish("coldstart", made)


if __name__ == "__main__":
    main()
