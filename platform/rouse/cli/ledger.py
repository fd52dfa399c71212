"""`rouse coldstart show`, `top` and `explain`: what wake-ups cost, and where the time goes."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import orjson
import yaml

from rouse.cli.options import connection_options
from rouse.cli.output import aligned

if TYPE_CHECKING:
    from rouse.coldstart.activation import Activation
    from rouse.coldstart.ledger import ServiceLedger

__all__ = [
    "dump",
    "everywhere_option",
    "explain",
    "output_option",
    "show",
    "shown_ms",
    "top",
    "waterfall",
]

_RESOURCE = "inferenceservices.serving.kserve.io"
_BAR = "█"
_LEAST_BAR = 10

output_option = click.option(
    "-o",
    "--output",
    type=click.Choice(["table", "json", "yaml"]),
    default="table",
    show_default=True,
)
everywhere_option = click.option("-A", "--all-namespaces", is_flag=True)


@click.command()
@click.argument("name", required=False)
@output_option
@everywhere_option
@connection_options
def show(
    name: str | None,
    output: str,
    all_namespaces: bool,
    kubeconfig: Path | None,
    namespace: str | None,
) -> None:
    """Show how long services, or the one called NAME, took to wake.

    With NAME in the mode Standard also how long its last pods took that nobody waited for.
    """
    services = _services(name, kubeconfig, namespace, everywhere=all_namespaces)
    ledgers = _ledgers(services)
    if output != "table":
        dump([_summary(one) | _starts(services, one) for one in ledgers], output)
        return
    if ledgers:
        click.echo(aligned([_SHOWN, *map(_cells, ledgers)]))
    else:
        _nothing()
    if name:
        for line in _more(services[0], ledgers):
            click.echo(line)


@click.command()
@click.option("--number", type=click.IntRange(1), default=10, show_default=True)
@output_option
@everywhere_option
@connection_options
def top(
    number: int,
    output: str,
    all_namespaces: bool,
    kubeconfig: Path | None,
    namespace: str | None,
) -> None:
    """Show the services whose cold starts cost callers most, and what would save most of it.

    What callers waited is the number of cold starts times their median.
    """
    from rouse.coldstart.advice import advise
    from rouse.coldstart.ledger import costliest

    found = costliest(_read(None, kubeconfig, namespace, everywhere=all_namespaces))[:number]
    rows = []
    for one in found:
        first = next(iter(advise(one.typical())), None)
        saved = {"saves": first.action, "savesMs": _ms(first.saves_s * one.count)} if first else {}
        rows.append(_summary(one) | {"waitedMs": _ms(one.waited_s)} | saved)
    if output != "table":
        dump(rows, output)
        return
    if not rows:
        _nothing()
        return
    titles = ("NAMESPACE", "NAME", "COLD STARTS", "P50", "WAITED", "TO SAVE", "BY")
    lines = [
        (
            row["namespace"],
            row["name"],
            str(row["count"]),
            shown_ms(row["p50Ms"]),
            shown_ms(row["waitedMs"]),
            shown_ms(row["savesMs"]) if "saves" in row else "",
            row.get("saves", ""),
        )
        for row in rows
    ]
    click.echo(aligned([titles, *lines]))


@click.command()
@click.argument("name")
@output_option
@connection_options
def explain(name: str, output: str, kubeconfig: Path | None, namespace: str | None) -> None:
    """Explain where the time of NAME's cold starts goes, and what would take it away."""
    from rouse.coldstart.advice import advise

    ledgers = _read(name, kubeconfig, namespace, everywhere=False)
    if not ledgers:
        _nothing()
        return
    [found] = ledgers
    typical = found.typical()
    advice = advise(typical)
    if output != "table":
        told = {
            "typicalMs": {phase: _ms(seconds) for phase, seconds in typical.items()},
            "last": found.last.to_record(),
            "advice": [
                {
                    "phases": list(one.phases),
                    "action": one.action,
                    "savesMs": _ms(one.saves_s),
                    "share": round(one.share, 3),
                }
                for one in advice
            ],
        }
        dump(_summary(found) | told, output)
        return
    for line in _told(found, typical, shutil.get_terminal_size().columns):
        click.echo(line)
    whole = shown_ms(_ms(sum(typical.values())))
    for number, one in enumerate(advice, 1):
        saves = f"up to {shown_ms(_ms(one.saves_s))} of {whole} ({one.share:.0%})"
        click.echo(f"{number}. {' and '.join(one.phases)}: {one.action}\n   saves {saves}")
    if not advice:
        click.echo("No phase takes long enough to be worth a change.")


def waterfall(
    phases: Mapping[str, float], typical: Mapping[str, float], width: int
) -> Iterator[str]:
    """Yield a line per phase: its seconds, the typical ones, and a bar where it began.

    ``phases`` are in the order of time; the lines are at most ``width`` wide if that is possible.
    """
    heads = [("PHASE", "LAST", "MEDIAN")] + [
        (phase, shown_ms(_ms(seconds)), shown_ms(_ms(typical.get(phase, 0.0))))
        for phase, seconds in phases.items()
    ]
    widths = [max(len(head[place]) for head in heads) for place in range(3)]
    room = max(_LEAST_BAR, width - sum(widths) - 7)
    whole, before = sum(phases.values()), 0.0
    for head, seconds in zip(heads, (0.0, *phases.values()), strict=True):
        texts = [head[0].ljust(widths[0]), head[1].rjust(widths[1]), head[2].rjust(widths[2])]
        begin, end = (_place(at, whole, room) for at in (before, before + seconds))
        bar = " " * min(begin, room - 1) + _BAR * max(1, end - begin) if seconds > 0 else ""
        yield "  ".join([*texts, bar]).rstrip()
        before += seconds


def _place(seconds: float, whole: float, room: int) -> int:
    return round(room * seconds / whole) if whole else 0


def _told(found: ServiceLedger, typical: Mapping[str, float], width: int) -> Iterator[str]:
    last = found.last
    since = found.since.strftime("%Y-%m-%d %H:%M")
    yield f"{found.namespace}/{found.name}: {found.count} cold starts since {since} UTC"
    yield (
        f"p50 {shown_ms(_ms(found.p50_s))}, p95 {shown_ms(_ms(found.p95_s))}; the last at "
        f"{last.began:%Y-%m-%d %H:%M:%S} UTC took {shown_ms(_ms(last.total_s))}"
    )
    if last.trace_id:
        yield f"trace {last.trace_id}"
    if last.unknown:
        yield _unseen(last)
    yield ""
    ordered = {phase: last.phases[phase] for phase in typical if phase in last.phases}
    yield from waterfall(ordered, typical, width)
    yield ""


def _unseen(last: Activation) -> str:
    return f"not to be seen from outside, and in no total: {', '.join(last.unknown)}"


def _more(service: Mapping[str, Any], ledgers: Sequence[ServiceLedger]) -> Iterator[str]:
    """Yield what is to be said of one service besides its row."""
    from rouse.coldstart.ledger import starts_of

    if ledgers and ledgers[0].last.unknown:
        yield _unseen(ledgers[0].last)
    starts = starts_of(service)
    if starts:
        titles = ("STARTED", "FOR", "POD", "TOOK", "MOST OF IT")
        lines = [
            (
                f"{one.began:%Y-%m-%d %H:%M:%S}",
                cause,
                one.pod,
                shown_ms(_ms(one.total_s)),
                max(one.phases, key=lambda phase: one.phases[phase], default=""),
            )
            for cause, one in reversed(starts)
        ]
        yield ""
        yield aligned([titles, *lines])


def _starts(services: Sequence[Mapping[str, Any]], ledger: ServiceLedger) -> dict[str, Any]:
    """What a program is told of the starts of a ledger's service, if there are any."""
    from rouse.coldstart.ledger import starts_of

    for service in services:
        metadata = service["metadata"]
        if (metadata.get("namespace", ""), metadata["name"]) == (ledger.namespace, ledger.name):
            told = [{**one.to_record(), "cause": cause} for cause, one in starts_of(service)]
            return {"starts": told} if told else {}
    return {}


def _read(
    name: str | None, kubeconfig: Path | None, namespace: str | None, *, everywhere: bool
) -> list[ServiceLedger]:
    return _ledgers(_services(name, kubeconfig, namespace, everywhere=everywhere))


def _ledgers(services: Sequence[Mapping[str, Any]]) -> list[ServiceLedger]:
    from rouse.coldstart.ledger import ServiceLedger

    return [one for one in map(ServiceLedger.of, services) if one is not None]


def _services(
    name: str | None, kubeconfig: Path | None, namespace: str | None, *, everywhere: bool
) -> list[Mapping[str, Any]]:
    from rouse.sdk.browse import fetch

    found = fetch(
        _RESOURCE,
        name,
        kubeconfig=kubeconfig,
        namespace=namespace,
        all_namespaces=everywhere,
        as_table=False,
    )
    return [found] if name else found["items"]


_SHOWN = (
    "NAMESPACE",
    "NAME",
    "LAST",
    "P50",
    "P95",
    "COLD STARTS",
    "DOMINANT PHASE",
    "WITHIN BUDGET",
)


def _summary(one: ServiceLedger) -> dict[str, Any]:
    row: dict[str, Any] = {
        "namespace": one.namespace,
        "name": one.name,
        "lastMs": _ms(one.last.total_s),
        "p50Ms": _ms(one.p50_s),
        "p95Ms": _ms(one.p95_s),
        "count": one.count,
        "since": one.since.isoformat(),
        "dominantPhase": one.dominant,
    }
    return row | ({"withinBudget": one.budget} if one.budget else {})


def _cells(one: ServiceLedger) -> tuple[str, ...]:
    row = _summary(one)
    times = (shown_ms(row[field]) for field in ("lastMs", "p50Ms", "p95Ms"))
    return (
        row["namespace"],
        row["name"],
        *times,
        str(row["count"]),
        row["dominantPhase"],
        row.get("withinBudget", "-"),
    )


def dump(told: Sequence[Any] | Mapping[str, Any], output: str) -> None:
    """Print as ``json`` or ``yaml``."""
    writers: dict[str, Callable[[Any], str]] = {
        "json": lambda one: orjson.dumps(one, option=orjson.OPT_INDENT_2).decode(),
        "yaml": lambda one: yaml.safe_dump(one, sort_keys=False).rstrip("\n"),
    }
    click.echo(writers[output](told))


def _nothing() -> None:
    click.echo("No cold start has been written down: nothing has woken from zero yet.", err=True)


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 3)


def shown_ms(milliseconds: float) -> str:
    """Return a time in the unit that suits it."""
    seconds = milliseconds / 1000
    if milliseconds < 99.95:
        return f"{milliseconds:.1f} ms"
    if milliseconds < 999.5:
        return f"{milliseconds:.0f} ms"
    return f"{seconds:.2f} s" if seconds < 100 else f"{seconds:.0f} s"
