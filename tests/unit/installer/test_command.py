"""`rouse install` and `rouse uninstall` as commands: options, messages and exit codes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from rouse.cli.main import rouse
from rouse.errors import ConfigError, InvalidError
from rouse.kube import config
from rouse.sdk import connection
from tests.unit.installer.world import World, world


def run(*args: str, given: str = "") -> Result:
    return CliRunner().invoke(rouse, args, input=given)


@pytest.fixture
def on(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Lets the commands have a cluster in this process; ``absent`` are paths it does not have."""
    settings: dict[str, Any] = {"absent": frozenset()}

    @asynccontextmanager
    async def connect(_cluster: object) -> AsyncIterator[Any]:
        async with world() as it:
            await _prepare(it, settings)
            yield it.client

    async def _prepare(it: World, settings: dict[str, Any]) -> None:
        if settings.get("installed"):
            await it.install("minimal")
        it.client.absent = settings["absent"]

    class Located:
        cluster = None

    monkeypatch.setattr(config, "connect", connect)
    monkeypatch.setattr(connection, "locate", lambda _path: Located())
    return settings


def test_what_is_missing_is_told_and_nothing_is_changed(on: dict[str, Any]) -> None:
    on["absent"] = frozenset({"/apis/serving.knative.dev/"})
    ran = run("install", "--no-wait")
    assert ran.exit_code == 1
    assert "serving-core.yaml" in ran.stderr
    assert "nothing was changed; --force installs all the same" in ran.stderr
    assert "created" not in ran.stdout
    forced = run("install", "--no-wait", "--force", "--overlay", "minimal")
    assert forced.exit_code == 0, forced.output
    assert "Rouse is installed" in forced.stdout


def test_uninstall_asks_before_it_takes_the_definitions(on: dict[str, Any]) -> None:
    on["installed"] = True
    refused = run("uninstall", "--crds", given="n\n")
    assert (refused.exit_code, "deleted" in refused.stdout) == (1, False)
    tried = run("uninstall", "--crds", "--dry-run")
    assert "CustomResourceDefinition inferenceservices.serving.kserve.io deleted" in tried.stdout
    assert tried.stdout.endswith("nothing was changed (dry run)\n")
    assert run("uninstall", "--crds", "--yes").exit_code == 0


def test_nothing_to_uninstall(on: dict[str, Any]) -> None:
    ran = run("uninstall")
    assert isinstance(ran.exception, ConfigError)
    assert "rouse-inventory" in str(ran.exception)


def test_printing_asks_no_cluster() -> None:
    text = run("install", "-o", "yaml", "--overlay", "minimal", "--component", "cert-manager")
    kinds = {obj["kind"] for obj in yaml.load_all(text.stdout, Loader=yaml.CSafeLoader)}
    assert {"Certificate", "Deployment", "InferenceService"} - kinds == {"InferenceService"}
    assert "Deployment rouse-webhook\n" in run("install", "--dry-run=client").stdout


@pytest.mark.parametrize(
    ("args", "kind", "said"),
    [
        (["--set-image", "controller"], InvalidError, "wanted NAME=REF"),
        (["--set-image", "x=y", "-o", "yaml"], ConfigError, "no image is named x"),
        (["--component", "x", "-o", "yaml"], ConfigError, "no component x"),
        (["--timeout", "-1"], InvalidError, "seconds, 0 or more"),
    ],
)
def test_wrong_options(args: list[str], kind: type[Exception], said: str) -> None:
    ran = run("install", *args)
    assert isinstance(ran.exception, kind)
    assert said in str(ran.exception)
