"""`rouse install` and `rouse uninstall`: Rouse on a cluster."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rouse.cli.options import split_names
from rouse.cli.output import aligned, as_yaml
from rouse.errors import ConfigError, InvalidError

if TYPE_CHECKING:
    from rouse.installer.findings import Finding
    from rouse.installer.install import Plan
    from rouse.installer.outcome import Outcome

__all__ = ["install", "uninstall"]

_kubeconfig = click.option(
    "--kubeconfig",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Default: $KUBECONFIG, then this machine's engine, then ~/.kube/config.",
)
_timeout = click.option(
    "--timeout", "timeout_s", type=float, default=300.0, show_default=True, help="Seconds."
)
_dry_run = click.option(
    "--dry-run",
    type=click.Choice(["none", "client", "server"]),
    is_flag=False,
    flag_value="server",
    default="none",
    help="server (the default of the bare flag): ask the API what it would do; client: ask nobody. "
    "Neither changes anything.",
)


@click.command()
@click.option(
    "--overlay",
    default="production",
    show_default=True,
    help="minimal, production, gpu or observability; or a folder with a kustomization.",
)
@click.option(
    "--component", "components", multiple=True, help="Also this one, such as cert-manager."
)
@click.option(
    "--set-image",
    "images",
    multiple=True,
    metavar="NAME=REF",
    help="Another image: NAME is its repository or the last part of it; may be repeated.",
)
@click.option(
    "--authorizer-namespaces",
    default="",
    metavar="NAMESPACE,...",
    help="With component api-keys: the authorizer may read Secrets in these only. Default: in all.",
)
@click.option(
    "--gateway-namespace",
    default="istio-system",
    show_default=True,
    help="With component api-keys: where the gateway is, auth.gatewayNamespace of rouse-config.",
)
@_dry_run
@click.option("--wait/--no-wait", default=True, help="Wait until everything is ready.")
@_timeout
@click.option("-o", "--output", type=click.Choice(["yaml"]), help="Print the objects; apply none.")
@click.option("--images", "list_images", is_flag=True, help="Print the images that are used.")
@click.option("--force", is_flag=True, help="Go on although the cluster lacks something.")
@_kubeconfig
def install(
    overlay: str,
    components: tuple[str, ...],
    images: tuple[str, ...],
    authorizer_namespaces: str,
    gateway_namespace: str,
    dry_run: str,
    wait: bool,
    timeout_s: float,
    output: str | None,
    list_images: bool,
    force: bool,
    kubeconfig: Path | None,
) -> None:
    """Install Rouse on a cluster, or bring an installation to this version.

    What the cluster lacks is told first, with exit code 1 and nothing changed. Done again, it
    changes nothing.
    """
    from rouse import __version__
    from rouse.installer.authorizer import AuthorizerScope
    from rouse.installer.install import Plan
    from rouse.installer.selection import Selection, images_of, select

    if timeout_s < 0:
        raise InvalidError(f"--timeout: {timeout_s}: seconds, 0 or more")
    scope = AuthorizerScope(tuple(split_names(authorizer_namespaces)), gateway_namespace)
    selection = Selection(overlay, components, _images(images), scope)
    objects = select(selection)
    if list_images:
        click.echo("\n".join(images_of(objects)))
    if output == "yaml":
        click.echo(as_yaml(objects), nl=False)
    if list_images or output == "yaml" or dry_run == "client":
        if dry_run == "client" and not (list_images or output):
            for obj in objects:
                click.echo(f"{obj['kind']} {obj['metadata']['name']}")
        return
    plan = Plan(
        objects=tuple(objects),
        version=__version__,
        overlay=overlay,
        options=selection.options,
        wait=wait,
        timeout_s=timeout_s,
        dry_run=dry_run == "server",
    )
    asyncio.run(_install(kubeconfig, plan, force=force))


@click.command()
@click.option(
    "--crds",
    is_flag=True,
    help="Also the definitions, and with them every InferenceService, and the namespace.",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@_dry_run
@_timeout
@_kubeconfig
def uninstall(
    crds: bool,
    yes: bool,
    dry_run: str,
    timeout_s: float,
    kubeconfig: Path | None,
) -> None:
    """Remove Rouse from a cluster; users' objects, their definitions and your settings stay.

    Models that run go on running; nothing compiles changes of them any more.
    """
    if crds and not yes and dry_run == "none":
        click.confirm("This deletes every InferenceService of the cluster. Go on?", abort=True)
    asyncio.run(_uninstall(kubeconfig, crds=crds, timeout_s=timeout_s, dry_run=dry_run != "none"))


async def _install(kubeconfig: Path | None, plan: Plan, *, force: bool) -> None:
    from rouse.installer.cluster import Cluster
    from rouse.installer.install import install as bring
    from rouse.installer.preflight import preflight
    from rouse.kube.config import connect
    from rouse.sdk.connection import locate

    async with connect(locate(kubeconfig).cluster) as client:
        cluster = Cluster(client)
        findings = [each async for each in preflight(cluster, plan.objects)]
        _say_findings(findings)
        if any(each.wrong for each in findings):
            if not force:
                click.echo("rouse: nothing was changed; --force installs all the same", err=True)
                raise click.exceptions.Exit(1)
            click.echo("rouse: going on all the same (--force)", err=True)
        await bring(cluster, plan, _say)
    done = "nothing was changed (dry run)" if plan.dry_run else "Rouse is installed"
    click.echo(done)


async def _uninstall(
    kubeconfig: Path | None, *, crds: bool, timeout_s: float, dry_run: bool
) -> None:
    from rouse.installer.cluster import Cluster
    from rouse.installer.install import read_inventory
    from rouse.installer.remove import uninstall as take_away
    from rouse.kube.config import connect
    from rouse.sdk.connection import locate

    async with connect(locate(kubeconfig).cluster) as client:
        cluster = Cluster(client)
        inventory = await read_inventory(cluster)
        if not inventory.entries:
            raise ConfigError(
                "there is no ConfigMap rouse-system/rouse-inventory: nothing here was installed by "
                "`rouse install`"
            )
        await take_away(
            cluster,
            inventory,
            definitions=crds,
            timeout_s=timeout_s,
            tell=_say,
            dry_run=dry_run,
        )
    click.echo("nothing was changed (dry run)" if dry_run else "Rouse is uninstalled")


def _images(given: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for each in given:
        name, equals, image = each.partition("=")
        if not (name and equals and image):
            raise InvalidError(f"--set-image: {each}: wanted NAME=REF")
        found[name] = image
    return found


def _say(outcome: Outcome) -> None:
    click.echo(str(outcome))


def _say_findings(findings: list[Finding]) -> None:
    told = [each for each in findings if each.state != "ok"]
    if told:
        rows = [(each.what, each.state, each.detail) for each in told]
        click.echo(aligned([("CHECK", "STATE", "DETAIL"), *rows]), err=True)
    for fix in dict.fromkeys(each.fix for each in told if each.fix):
        click.echo(f"  {fix}", err=True)
