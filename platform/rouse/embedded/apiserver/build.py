"""Puts a server together from its parts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from rouse.embedded.apiserver.admission import Plugin
from rouse.embedded.apiserver.admission_config import settings_admission
from rouse.embedded.apiserver.admission_kserve import model_admission
from rouse.embedded.apiserver.admission_pods import pod_admission
from rouse.embedded.apiserver.admission_quota import quota_admission
from rouse.embedded.apiserver.admission_webhooks import webhook_admission
from rouse.embedded.apiserver.builtin import BUILTIN
from rouse.embedded.apiserver.registry import Registry
from rouse.embedded.apiserver.selectors import selectable_fields
from rouse.embedded.apiserver.server import ApiServer
from rouse.embedded.apiserver.sqlite import SqliteFile
from rouse.embedded.apiserver.state import State
from rouse.embedded.apiserver.store import Store
from rouse.embedded.apiserver.watchers import Hub
from rouse.embedded.apiserver.webhooks import Webhooks

__all__ = ["build_server", "utc_now"]


def utc_now() -> datetime:
    """The present."""
    return datetime.now(UTC)


def build_server(
    path: str,
    *,
    token: str | None = None,
    logs: Path | None = None,
    admission: Sequence[Callable[[Store], Plugin]] = (
        settings_admission,
        model_admission,
        pod_admission,
    ),
    limits: Sequence[Callable[[Store], Plugin]] = (quota_admission,),
    clock: Callable[[], datetime] = utc_now,
) -> ApiServer:
    """A server over the state file at ``path``, not yet started."""
    store = Store(SqliteFile(path), selectable_fields)
    state = State(
        store=store,
        registry=Registry(BUILTIN),
        hub=Hub(),
        plugins=(webhook_admission, *(make(store) for make in admission)),
        limits=tuple(make(store) for make in limits),
        webhooks=Webhooks(store, State.new_uid),
        clock=clock,
        logs=logs,
    )
    return ApiServer(state, token=token)
