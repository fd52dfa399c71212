"""`rouse coldstart advise`: settings that would suit services better, and writing them."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rouse.cli.ledger import dump, everywhere_option, output_option, shown_ms
from rouse.cli.options import connection_options
from rouse.cli.output import aligned

if TYPE_CHECKING:
    from rouse.coldstart.advise import Proposal

__all__ = ["advise"]

_RESOURCE = "inferenceservices.serving.kserve.io"
_TITLES = ("NAMESPACE", "NAME", "SETTING", "NOW", "PROPOSED", "SAVES A DAY", "REPLICA-HOURS A DAY")


@click.command()
@click.argument("name", required=False)
@click.option("--apply", "write", is_flag=True, help="Write what is proposed, and show the diff.")
@click.option("--force-conflicts", is_flag=True, help="Take over fields other managers own.")
@click.option(
    "--price",
    "price_s",
    type=click.FloatRange(0, min_open=True),
    help="The idle replica-seconds that one cold start is worth.  [default: 850]",
)
@output_option
@everywhere_option
@connection_options
def advise(
    name: str | None,
    write: bool,
    force_conflicts: bool,
    price_s: float | None,
    output: str,
    all_namespaces: bool,
    kubeconfig: Path | None,
    namespace: str | None,
) -> None:
    """Propose settings for services, or the one called NAME, from their measured cold starts.

    What somebody set by other means is theirs: --apply alone does not overwrite it.
    """
    from rouse.coldstart.advise import propose
    from rouse.coldstart.prediction import PRICE_S
    from rouse.sdk.browse import fetch

    found = fetch(
        _RESOURCE,
        name,
        kubeconfig=kubeconfig,
        namespace=namespace,
        all_namespaces=all_namespaces,
        as_table=False,
    )
    services = [found] if name else found["items"]
    now = time.time()
    proposed = [
        (service, proposals)
        for service in services
        if (proposals := propose(service, now, price_s=price_s or PRICE_S))
    ]
    if output != "table":
        dump([_row(*key, each) for key, each in _listed(proposed)], output)
    elif proposed:
        click.echo(aligned([_TITLES, *(_cells(*key, each) for key, each in _listed(proposed))]))
        for (_, one), each in _listed(proposed):
            click.echo(f"{one}: {each.setting}: {each.why}", err=True)
    else:
        click.echo("Nothing to change: no cold start costs enough, or none was measured.", err=True)
    if write:
        _write(proposed, kubeconfig, force=force_conflicts)


def _write(
    proposed: Sequence[tuple[Mapping[str, Any], Sequence[Proposal]]],
    kubeconfig: Path | None,
    *,
    force: bool,
) -> None:
    from rouse.sdk.tuning import apply_proposals

    for service, proposals in proposed:
        diff = apply_proposals(service, proposals, kubeconfig=kubeconfig, force=force)
        click.echo(diff, nl=False, err=True)


def _listed(
    proposed: Sequence[tuple[Mapping[str, Any], Sequence[Proposal]]],
) -> list[tuple[tuple[str, str], Proposal]]:
    return [
        ((service["metadata"].get("namespace", ""), service["metadata"]["name"]), each)
        for service, proposals in proposed
        for each in proposals
    ]


def _row(namespace: str, name: str, each: Proposal) -> dict[str, Any]:
    return {
        "namespace": namespace,
        "name": name,
        "setting": each.setting if each.is_annotation else f"spec.predictor.{each.setting}",
        "now": each.now,
        "proposed": each.value,
        "savesMsPerDay": round(each.saves_s * 1000, 3),
        "replicaHoursPerDay": round(each.replica_h, 3),
        "why": each.why,
    }


def _cells(namespace: str, name: str, each: Proposal) -> tuple[str, ...]:
    row = _row(namespace, name, each)
    saved, hours = shown_ms(row["savesMsPerDay"]), f"{each.replica_h:+.2f}"
    return namespace, name, row["setting"], each.now, str(each.value), saved, hours
