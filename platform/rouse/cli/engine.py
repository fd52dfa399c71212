"""`rouse up`, `down` and `status`: the embedded engine of this machine."""

from __future__ import annotations

import click

from rouse.embedded.engine.daemon import EngineOptions, start, stop
from rouse.embedded.engine.report import Report, report
from rouse.embedded.engine.state import EngineState, running
from rouse.embedded.home import Home
from rouse.embedded.node.images import frameworks

__all__ = ["down", "status", "up"]


@click.command()
@click.option("--api-port", type=click.IntRange(1, 65535), default=6443, show_default=True)
@click.option("--gateway-port", type=click.IntRange(1, 65535), default=8080, show_default=True)
@click.option(
    "--warm",
    default="sklearn",
    show_default=True,
    help="Predictors whose framework is kept imported from the start, comma-separated; others "
    "are warmed on first use.",
)
def up(api_port: int, gateway_port: int, warm: str) -> None:
    """Start the engine in the background: Kubernetes API, controllers, gateway.

    State is kept in $ROUSE_HOME (default ~/.rouse).
    """
    home = Home.from_environment()
    if (state := running(home)) is not None:
        click.echo(f"Rouse is already up (pid {state.pid}).")
    else:
        state = start(home, EngineOptions(api_port, gateway_port, _frameworks(warm)))
        click.echo(f"Rouse is up in {state.up_seconds:.1f} s.")
    _introduce(home, state)


@click.command()
def down() -> None:
    """Stop the engine and every process it started; the state stays."""
    if stop(Home.from_environment()):
        click.echo("Rouse is down.")
    else:
        click.echo("Rouse was not running.")


@click.command()
def status() -> None:
    """Show what runs. Exit code 3 when the engine does not."""
    home = Home.from_environment()
    told = report(home)
    if told is None:
        click.echo(f"Rouse is not running in {home.root} (start it with `rouse up`).")
        raise click.exceptions.Exit(3)
    _introduce(home, told.state)
    _print_parts(told)


def _frameworks(given: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in given.split(",") if name.strip())
    known = sorted(frameworks())
    for name in names:
        if name not in known:
            raise click.BadParameter(
                f"{name}: no predictor of Rouse; there are: {', '.join(known)}",
                param_hint="'--warm'",
            )
    return names


def _introduce(home: Home, state: EngineState) -> None:
    click.echo(f"  Kubernetes API  https://127.0.0.1:{state.api_port}")
    click.echo(f"  gateway         {state.gateway_url}   (http://<name>.<namespace>.localhost)")
    click.echo(f"  kubeconfig      export KUBECONFIG={home.kubeconfig}")


def _print_parts(told: Report) -> None:
    click.echo("")
    click.echo(f"  {'PART':<14} {'PID':>8} {'MEMORY':>8}  HEALTH")
    for part in told.parts:
        click.echo(f"  {part.name:<14} {part.pid:>8} {part.megabytes:>5.0f} MB  {part.health}")
    click.echo(f"  {'':<14} {'':>8} {told.megabytes:>5.0f} MB  (proportional set size, summed)")
