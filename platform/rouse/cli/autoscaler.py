"""`rouse autoscaler`: the autoscaler's arithmetic on recorded or made-up traces."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click
import orjson

from rouse.cli.output import aligned

if TYPE_CHECKING:
    from rouse.autoscaler import AutoscalerSpec
    from rouse.autoscaler.replay import Row

__all__ = ["autoscaler"]

_TITLES = (
    "T",
    "IN FLIGHT",
    "QUEUED",
    "STABLE",
    "PANIC",
    "DESIRED",
    "BURST",
    "MODE",
    "WANT",
    "PODS",
    "READY",
    "ACTIVITY",
    "WAITED",
)


@click.group()
def autoscaler() -> None:
    """The autoscaler's decisions, reproduced with a virtual clock."""


@autoscaler.command()
@click.option("--requests", type=click.File(), help="Lines of arrival and service_time (s).")
@click.option("--metrics", type=click.File(), help="Lines of config and ticks: the decisions.")
@click.option("--windows", type=click.File(), help="Lines of records and queries: the averages.")
@click.option(
    "--config",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="With --requests: a ConfigMap config-autoscaler. Default: Knative's defaults.",
)
@click.option(
    "--annotation",
    "annotations",
    multiple=True,
    metavar="NAME=VALUE",
    help="With --requests: an autoscaling.knative.dev annotation, prefix optional; repeatable.",
)
@click.option("--container-concurrency", type=click.IntRange(0), default=0, show_default=True)
@click.option(
    "--start-seconds",
    type=click.FloatRange(0),
    default=1.0,
    show_default=True,
    help="With --requests: how long a pod takes to be ready.",
)
@click.option(
    "-o", "--output", type=click.Choice(["table", "json"]), default="table", show_default=True
)
def replay(
    requests: IO[str] | None,
    metrics: IO[str] | None,
    windows: IO[str] | None,
    config: Path | None,
    annotations: tuple[str, ...],
    container_concurrency: int,
    start_seconds: float,
    output: str,
) -> None:
    """Replay a file of JSON lines; exactly one of --requests, --metrics and --windows.

    --requests prints a row for every tick; the others print a line of JSON for every trace.
    """
    if sum(source is not None for source in (requests, metrics, windows)) != 1:
        raise click.UsageError("give exactly one of --requests, --metrics and --windows")
    if metrics is not None:
        lines = _decisions(metrics)
    elif windows is not None:
        lines = _averages(windows)
    else:
        assert requests is not None  # noqa: S101 - one of the three is given
        spec = _spec(config, annotations, container_concurrency)
        rows = _rows(requests, spec, container_concurrency, start_seconds)
        lines = _as_json(rows) if output == "json" else _as_table(rows)
    for line in lines:
        click.echo(line)


def _decisions(file: IO[str]) -> Iterator[str]:
    from rouse.autoscaler.replay import MetricsTrace, replay_metrics
    from rouse.traces import read_lines

    for trace in read_lines(file, MetricsTrace, file.name):
        decisions = [
            [one.desired, one.excess_burst_capacity, one.valid, one.in_panic]
            for one in replay_metrics(trace)
        ]
        yield _json({"decisions": decisions})


def _averages(file: IO[str]) -> Iterator[str]:
    from rouse.autoscaler.replay import WindowTrace, replay_windows
    from rouse.traces import read_lines

    for trace in read_lines(file, WindowTrace, file.name):
        yield _json({"averages": replay_windows(trace)})


def _rows(
    file: IO[str], spec: AutoscalerSpec, container_concurrency: int, start_s: float
) -> Iterator[Row]:
    from rouse.autoscaler.replay import Request, Workload, simulate
    from rouse.traces import read_lines

    requests = list(read_lines(file, Request, file.name))
    return simulate(Workload(requests, spec, container_concurrency, start_s))


def _spec(config: Path | None, annotations: tuple[str, ...], concurrency: int) -> AutoscalerSpec:
    from rouse.autoscaler import parse_config, resolve_spec
    from rouse.autoscaler.annotations import PREFIX

    given = {}
    for annotation in annotations:
        name, separator, value = annotation.partition("=")
        if not separator:
            raise click.BadParameter(f"{annotation!r} is not NAME=VALUE", param_hint="--annotation")
        given[name if name.startswith(PREFIX) else PREFIX + name] = value
    settings = parse_config(_config_data(config) if config else {})
    return resolve_spec(given, settings, concurrency, name="replay")


def _config_data(path: Path) -> dict[str, str]:
    import yaml

    document: Any = yaml.safe_load(path.read_text())
    data = document.get("data") if isinstance(document, dict) else None
    if not isinstance(data, dict):
        raise click.BadParameter(f"{path} is no ConfigMap with data", param_hint="--config")
    return {str(key): str(value) for key, value in data.items()}


def _as_json(rows: Iterator[Row]) -> Iterator[str]:
    for row in rows:
        yield _json(row)


def _as_table(rows: Iterator[Row]) -> Iterator[str]:
    yield aligned([_TITLES, *(_cells(row) for row in rows)])


def _cells(row: Row) -> tuple[str, ...]:
    decision = row.decision
    return (
        f"{row.t:g}",
        str(row.in_flight),
        str(row.queued),
        f"{row.stable:.3f}",
        f"{row.panic:.3f}",
        str(decision.desired) if decision.valid else "-",
        str(decision.excess_burst_capacity) if decision.valid else "-",
        "panic" if decision.in_panic else "stable" if decision.valid else "no data",
        "-" if row.want is None else str(row.want),
        str(row.replicas),
        str(row.ready),
        row.activity.value,
        f"{row.waited_s:.3f}",
    )


def _json(value: object) -> str:
    return orjson.dumps(value).decode()
