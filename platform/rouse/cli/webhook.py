"""`rouse webhook`: the admission webhooks of a cluster."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from rouse.cli.options import PORT, daemon_options, drain_option, ready_option

__all__ = ["webhook"]

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.option("--host", default="", help="Address to listen on. Default: all.")
@click.option("--port", type=PORT, default=9443, show_default=True)
@click.option(
    "--cert-secret",
    default="rouse-system/rouse-webhook-certs",
    show_default=True,
    metavar="NAMESPACE/NAME",
    help="The Secret of the certificate, made and renewed there.",
)
@click.option(
    "--cert-manager", is_flag=True, help="Others make the Secret and write caBundle: follow it."
)
@click.option("--cert-file", type=_FILE, help="Serve this PEM file instead, also when it changes.")
@click.option("--key-file", type=_FILE, help="The key of --cert-file.")
@click.option(
    "--service",
    default="rouse-webhook",
    show_default=True,
    help="The Service that the API server calls, in the namespace of the Secret.",
)
@click.option(
    "--configuration",
    default="rouse-webhook",
    show_default=True,
    help="Name of the webhook configurations that caBundle is written into.",
)
@daemon_options
@drain_option
@ready_option
def webhook(
    kubeconfig: Path | None,
    host: str,
    port: int,
    cert_secret: str,
    cert_manager: bool,
    cert_file: Path | None,
    key_file: Path | None,
    service: str,
    configuration: str,
    metrics_port: int | None,
    health_port: int | None,
    drain_seconds: float,
    log_format: str,
    ready_fd: int | None,
) -> None:
    """Serve the admission webhooks over HTTPS until SIGTERM."""
    namespace, _, name = cert_secret.partition("/")
    if not (namespace and name) or "/" in name:
        raise click.BadParameter(
            f"{cert_secret!r} is no NAMESPACE/NAME", param_hint="--cert-secret"
        )
    if (cert_file is None) != (key_file is None):
        raise click.UsageError("--cert-file and --key-file belong together: give both")
    if cert_file is not None and cert_manager:
        raise click.UsageError("--cert-manager follows a Secret, --cert-file a file: give one")
    from rouse.daemon.endpoints import Ports
    from rouse.kube.objects import Key
    from rouse.webhook.run import Options, run_webhook

    options = Options(
        host=host,
        port=port,
        secret=Key(namespace, name),
        service=service,
        configuration=configuration,
        cert_manager=cert_manager,
        files=(cert_file, key_file) if cert_file is not None and key_file is not None else None,
        ports=Ports(metrics_port, health_port),
        drain=drain_seconds,
    )
    status = run_webhook(kubeconfig, options, log_format=log_format, ready_fd=ready_fd)
    sys.exit(status)
