"""`rouse apikey`: the keys that open an InferenceService, made, shown and taken back."""

from __future__ import annotations

from pathlib import Path

import click

from rouse.cli.options import connection_options
from rouse.cli.output import aligned
from rouse.cli.targets import target_of

__all__ = ["apikey"]

_KEY = click.option(
    "--key",
    "key_name",
    default="default",
    show_default=True,
    help="The name of the key, which the model server sees.",
)


@click.group()
def apikey() -> None:
    """API keys of the InferenceService NAME, or of ig/NAME; a Secret holds their hashes only."""


@apikey.command()
@click.argument("name")
@_KEY
@click.option("--rotate", is_flag=True, help="Beside the newest key of that name, not instead.")
@connection_options
def create(
    name: str, key_name: str, rotate: bool, kubeconfig: Path | None, namespace: str | None
) -> None:
    """Make a key and print it, this once."""
    from rouse.sdk.apikeys import KeyStore

    resource, bare = target_of(name)
    with KeyStore(kubeconfig, namespace) as store:
        text, where = store.create(bare, key_name, rotate=rotate)
    click.echo(text)
    click.echo(f"its hash is in Secret {where}; the key itself is nowhere", err=True)
    if not store.exists:
        click.echo(
            f"there is no {resource.kind} {bare} in namespace {where.namespace} yet; give it the "
            "annotation rouse.dev/auth: api-key when you make it",
            err=True,
        )
    elif not store.asked_for:
        click.echo(
            f"{store.kind} {bare} does not ask for keys yet: kubectl annotate "
            f"{store.kind.lower()} {bare} -n {where.namespace} rouse.dev/auth=api-key",
            err=True,
        )


@apikey.command("list")
@click.argument("name")
@connection_options
def list_(name: str, kubeconfig: Path | None, namespace: str | None) -> None:
    """Show the names of the keys, and the begin of the hash of each."""
    from rouse.sdk.apikeys import KeyStore

    _, bare = target_of(name)
    with KeyStore(kubeconfig, namespace) as store:
        keys, unreadable = store.list(bare)
    rows = [*((key.name, key.fingerprint) for key in keys), *((one, "?") for one in unreadable)]
    click.echo(aligned([("KEY", "SHA-256"), *rows]))


@apikey.command()
@click.argument("name")
@_KEY
@click.option("--old", is_flag=True, help="Only the older ones: the end of a rotation.")
@connection_options
def revoke(
    name: str, key_name: str, old: bool, kubeconfig: Path | None, namespace: str | None
) -> None:
    """Take a key back: it opens nothing within a second."""
    from rouse.sdk.apikeys import KeyStore

    _, bare = target_of(name)
    with KeyStore(kubeconfig, namespace) as store:
        count, where = store.revoke(bare, key_name, old=old)
    click.echo(f"{count} revoked in Secret {where}")
