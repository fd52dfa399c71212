"""Webhook configurations under server-side apply: their webhooks are told apart by name."""

from __future__ import annotations

from typing import Any

import pytest

from rouse.embedded.apiserver.managedfields import apply_patch
from rouse.embedded.apiserver.schema import schema_for_builtin

GROUP = "admissionregistration.k8s.io"


@pytest.mark.parametrize("kind", ["ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"])
def test_an_authority_stays_when_another_applies_the_rest(kind: str) -> None:
    live = applied(None, kind, "installer", name="a", timeoutSeconds=5)
    live = applied(live, kind, "webhook", name="a", clientConfig={"caBundle": "Q0E="})
    live = applied(live, kind, "installer", name="a", timeoutSeconds=7)
    (webhook,) = live["webhooks"]
    assert webhook == {"name": "a", "timeoutSeconds": 7, "clientConfig": {"caBundle": "Q0E="}}


def applied(live: dict[str, Any] | None, kind: str, manager: str, **webhook: Any) -> dict[str, Any]:
    wanted = {
        "apiVersion": f"{GROUP}/v1",
        "kind": kind,
        "metadata": {"name": "rouse"},
        "webhooks": [webhook],
    }
    return apply_patch(
        live,
        wanted,
        manager=manager,
        force=False,
        subresource="",
        schema=schema_for_builtin(GROUP, kind),
        now="2026-01-01T00:00:00Z",
    )
