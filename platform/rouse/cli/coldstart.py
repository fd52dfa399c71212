"""`rouse coldstart`: what cold starts cost, and what would be saved."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import IO, TYPE_CHECKING

import click
import orjson

from rouse.cli.advising import advise
from rouse.cli.ledger import explain, show, top
from rouse.cli.output import aligned

if TYPE_CHECKING:
    from rouse.coldstart.simulation import Outcome, Policy, Spells

__all__ = ["coldstart"]

_DEFAULT_POLICIES = ("fixed:600", "knative", "rouse")
_KNATIVE_S = 90.0
"""Knative's default stable window of 60 s and its grace period of 30 s."""


@click.group()
def coldstart() -> None:
    """Cold starts: what they cost, and what would take them away."""


for _command in (advise, explain, show, top):
    coldstart.add_command(_command)


@coldstart.command()
@click.option(
    "--trace",
    type=click.File(),
    required=True,
    help="JSON lines of service, arrival and service_time (s).",
)
@click.option(
    "--policy",
    "policies",
    multiple=True,
    metavar="NAME[:NUMBER]",
    default=_DEFAULT_POLICIES,
    show_default=True,
    help="fixed:SECONDS of keep-alive; knative; rouse[:PRICE], the idle replica-seconds that one "
    "cold start is worth. Repeatable.",
)
@click.option("--until", type=float, help="End in seconds. Default: that of the last request.")
@click.option(
    "--start-seconds",
    type=click.FloatRange(0),
    default=5.0,
    show_default=True,
    help="How long a replica takes to be ready.",
)
@click.option("--idle-price", type=float, default=0.00002, show_default=True, help="per second")
@click.option("--cold-start-price", type=float, default=0.01, show_default=True, help="each")
@click.option(
    "-o", "--output", type=click.Choice(["table", "json"]), default="table", show_default=True
)
def simulate(
    trace: IO[str],
    policies: tuple[str, ...],
    until: float | None,
    start_seconds: float,
    idle_price: float,
    cold_start_price: float,
    output: str,
) -> None:
    """Replay a trace under several policies of keeping services awake.

    The last row is the bound: who knows every next request, with the idle time of the first policy.
    """
    from rouse.coldstart import simulation

    made = [_policy(policy, start_seconds) for policy in policies]
    services = _services(trace)
    if not services:
        raise click.BadParameter("holds no requests", param_hint="--trace")
    end = until if until is not None else max(spells[-1][1] for spells in services)
    outcomes = [
        (name, simulation.simulate(services, policy, end))
        for name, policy in zip(policies, made, strict=True)
    ]
    first = outcomes[0][1]
    outcomes.append(("optimum", simulation.optimum(services, first.idle_s, start_s=start_seconds)))
    for line in _lines(outcomes, idle_price, cold_start_price, as_json=output == "json"):
        click.echo(line)


def _policy(text: str, start_s: float) -> Policy:
    from rouse.coldstart import prediction, simulation

    name, _, number = text.partition(":")
    try:
        value = float(number) if number else None
    except ValueError:
        value = -1.0
    if name == "fixed" and value is not None and value >= 0:
        return simulation.Fixed(value)
    if name == "knative" and value is None:
        return simulation.Fixed(_KNATIVE_S)
    if name == "rouse" and (value is None or value > 0):
        return prediction.Foreseen(value or prediction.PRICE_S, start_s=start_s)
    raise click.BadParameter(
        f"{text!r} is none of fixed:SECONDS, knative, rouse and rouse:PRICE", param_hint="--policy"
    )


def _services(trace: IO[str]) -> list[Spells]:
    from rouse.coldstart.simulation import ServiceRequest, merge_spells
    from rouse.traces import read_lines

    requests: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for request in read_lines(trace, ServiceRequest, trace.name):
        requests[request.service].append((request.arrival, request.service_time))
    return [merge_spells(requests[name]) for name in sorted(requests)]


def _lines(
    outcomes: Sequence[tuple[str, Outcome]], idle_price: float, cold_price: float, *, as_json: bool
) -> list[str]:
    rows = [
        {
            "policy": name,
            "cold_starts": outcome.cold_starts,
            "idle_replica_s": round(outcome.idle_s, 3),
            "cost": round(outcome.cost(idle_price, cold_price), 6),
        }
        for name, outcome in outcomes
    ]
    if as_json:
        return [orjson.dumps(row).decode() for row in rows]
    titles = ("POLICY", "COLD STARTS", "OF SPELLS", "IDLE REPLICA-SECONDS", "COST")
    cells = [
        (
            str(row["policy"]),
            str(row["cold_starts"]),
            f"{100 * outcome.cold_starts / outcome.spells:.1f} %",
            f"{row['idle_replica_s']:.0f}",
            f"{row['cost']:.2f}",
        )
        for row, (_, outcome) in zip(rows, outcomes, strict=True)
    ]
    return [aligned([titles, *cells])]
