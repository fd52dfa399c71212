"""The `rouse` command: its groups, and how errors become messages and exit codes."""

from __future__ import annotations

import sys
from typing import NoReturn

import click

from rouse import __version__, lean  # noqa: F401 - lean before anything that imports httpx
from rouse.cli import (
    apikey,
    authorizer,
    autoscaler,
    cluster,
    coldstart,
    compiling,
    diff,
    doctor,
    engine,
    explain,
    install,
    nodeagent,
    objects,
    predict,
    webhook,
)
from rouse.errors import RouseError

__all__ = ["main", "rouse"]


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="rouse")
def rouse() -> None:
    """Serverless inference: models sleep at zero and wake when called.

    Start with `rouse up`, then `rouse apply -f FILE` and `rouse predict NAME`.
    """


for _command in (
    engine.up,
    engine.down,
    engine.status,
    objects.apply,
    objects.delete,
    objects.get,
    objects.wait,
    predict.predict,
    compiling.compile_,
    diff.diff,
    doctor.doctor,
    explain.explain_,
    autoscaler.autoscaler,
    coldstart.coldstart,
    cluster.controller,
    nodeagent.node_agent,
    webhook.webhook,
    authorizer.authorizer,
    apikey.apikey,
    install.install,
    install.uninstall,
):
    rouse.add_command(_command)


def main() -> NoReturn:
    """Run the command line; a RouseError is one line on stderr and exit code 1."""
    try:
        # An Exit raised by a command comes back as the exit code.
        code = rouse(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.Abort:
        sys.exit(130)
    except RouseError as error:
        click.echo(f"rouse: {error}", err=True)
        sys.exit(1)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(141)
    sys.exit(code if isinstance(code, int) else 0)
