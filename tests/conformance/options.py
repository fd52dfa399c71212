"""What the suite is told: the cluster, its ingress, where models come from, how long to wait."""

from __future__ import annotations

import argparse
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest

__all__ = ["Options", "add_options", "read_options"]

DEFAULT_HELPER = "docker.io/library/python:3.12-slim"
"""Runs the servers of helpers.py, which need the standard library only."""


@dataclass(frozen=True)
class Options:
    """The command line, read."""

    kubeconfig: Path | None
    """None: as kubectl finds it."""
    ingress: str
    """``host:port`` of the gateway that takes requests from outside."""
    namespace: str
    """Made by the run and deleted by it."""
    model_uri: str
    """What the models' folders lie below; empty: the suite serves them in the cluster."""
    helper_image: str
    factor: float
    """All deadlines are multiplied by it."""
    embedded: bool
    change_config: bool


def add_options(parser: pytest.Parser) -> None:
    """Declare the options."""
    group = parser.getgroup("conformance", "behaviour of any cluster with Rouse (docs/conformance)")
    group.addoption("--conformance", action="store_true", help="collect tests/conformance")
    group.addoption("--kubeconfig", type=Path, help="default: as kubectl finds it")
    group.addoption("--ingress", help="host:port of the ingress gateway")
    group.addoption("--namespace", help="default: rouse-conformance-<random>")
    group.addoption(
        "--model-uri",
        default="",
        help="where iris, iris-v2 and broken are, such as s3://bucket/folder; default: a server "
        "that the suite starts in the cluster",
    )
    group.addoption("--helper-image", default=DEFAULT_HELPER, help="an image with python3")
    group.addoption("--timeout-factor", type=_factor, default=1.0, help="multiplies every deadline")
    group.addoption("--report", type=Path, help="write results to FILE.json or FILE.md")
    group.addoption("--embedded", action="store_true", help="the cluster is the embedded engine")
    group.addoption(
        "--change-config",
        action="store_true",
        help="allow tests that change rouse-config, which all namespaces share, for a moment",
    )


def read_options(config: pytest.Config) -> Options:
    """Read the options; raises pytest.UsageError for one that is missing or unusable."""
    ingress = config.getoption("--ingress") or os.environ.get("INGRESS") or ""
    parts = urlsplit(ingress if "//" in ingress else f"//{ingress}")
    if not parts.hostname or parts.scheme not in ("", "http"):
        raise pytest.UsageError(
            f"--ingress: {ingress!r} is not host:port of a gateway that speaks plain HTTP"
        )
    embedded = bool(config.getoption("--embedded"))
    return Options(
        kubeconfig=config.getoption("--kubeconfig"),
        ingress=parts.netloc if parts.port else f"{parts.netloc}:80",
        namespace=config.getoption("--namespace") or f"rouse-conformance-{secrets.token_hex(4)}",
        model_uri=config.getoption("--model-uri").rstrip("/"),
        helper_image=config.getoption("--helper-image"),
        factor=config.getoption("--timeout-factor"),
        embedded=embedded,
        change_config=embedded or bool(config.getoption("--change-config")),
    )


def _factor(text: str) -> float:
    value = float(text)
    if value <= 0:
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return value
