"""What every server holds from its first start: namespaces, definitions, runtimes, settings.

Applied as the manager ``rouse-bootstrap`` without force: what a user changed stays theirs, and
what is unchanged causes no write. A journal remembers which files were applied, so that a later
start need not even parse them.
"""

from __future__ import annotations

import copy
import hashlib
import logging
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import orjson
import yaml

from rouse.embedded.apiserver.errors import Object
from rouse.embedded.apiserver.http import Request, Response
from rouse.embedded.apiserver.records import Key
from rouse.embedded.apiserver.server import ApiServer
from rouse.errors import EngineError

__all__ = ["FOLDERS", "NAMESPACES", "bootstrap", "documents", "drop_field"]

_log = logging.getLogger(__name__)

NAMESPACES = (
    "default",
    "kube-system",
    "kube-public",
    "knative-serving",
    "istio-system",
    "rouse-system",
)
FOLDERS = ("crds", "runtimes", "embedded")
MANAGER = "rouse-bootstrap"

_JOURNAL_BUCKET = "rouse.dev/bootstrap"
"""Not a served resource: no client sees or changes it."""
_JOURNAL_KEY = Key("", "applied")


def documents(body: bytes) -> Iterable[Object | None]:
    """The objects of a manifest, one by one."""
    found: Iterable[Object | None] = yaml.load_all(body, Loader=yaml.CSafeLoader)
    return found


async def bootstrap(
    server: ApiServer,
    manifests: Path | None,
    read: Callable[[bytes], Iterable[Object | None]] = documents,
) -> None:
    """Apply the namespaces and every manifest; raises EngineError naming what is refused.

    What `read` gives is not changed.
    """
    for name in NAMESPACES:
        if server.state.store.get("/namespaces", Key("", name)) is None:
            labels = {"kubernetes.io/metadata.name": name}
            metadata = {"name": name, "labels": labels}
            namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
            await _apply(server, namespace, "the namespaces")
    if manifests is None:
        return
    before = _read_journal(server)
    applied = {}
    for path in _files(manifests):
        name = str(path.relative_to(manifests))
        body = path.read_bytes()
        digest = hashlib.sha256(body).hexdigest()
        entry = before.get(name)
        if entry is None or entry["digest"] != digest or not _complete(server, entry):
            entry = {"digest": digest, "objects": await _apply_file(server, path, read(body))}
        applied[name] = entry
    if applied != before:
        await _write_journal(server, applied)


def _files(folder: Path) -> Iterator[Path]:
    for part in FOLDERS:
        yield from sorted((folder / part).glob("*.yaml"))


async def _apply_file(
    server: ApiServer, path: Path, objects: Iterable[Object | None]
) -> list[list[str]]:
    """Apply every document; returns where they are: bucket, namespace, name."""
    where = []
    for document in objects:
        if document:
            await _apply(server, document, str(path))
            where.append(_place(server, document))
    return where


def _place(server: ApiServer, obj: Object) -> list[str]:
    group = obj["apiVersion"].rpartition("/")[0]
    resource = server.state.registry.of_kind(group, obj["kind"])
    if resource is None:
        raise EngineError(f"{obj['kind']} of {group or 'the core group'} is not served")
    metadata = obj["metadata"]
    namespace = (metadata.get("namespace") or "default") if resource.namespaced else ""
    return [resource.bucket, namespace, metadata["name"]]


def _complete(server: ApiServer, entry: Object) -> bool:
    """Whether everything a file once made is still there."""
    return all(
        server.state.store.get(bucket, Key(namespace, name)) is not None
        for bucket, namespace, name in entry["objects"]
    )


def _read_journal(server: ApiServer) -> dict[str, Object]:
    record = server.state.store.get(_JOURNAL_BUCKET, _JOURNAL_KEY)
    files: dict[str, Object] = {} if record is None else record.object()["files"]
    return files


async def _write_journal(server: ApiServer, files: dict[str, Object]) -> None:
    metadata = {"name": _JOURNAL_KEY.name}
    journal = {"apiVersion": "rouse.dev/v1", "kind": "Bootstrap", "metadata": metadata}
    await server.state.store.put(_JOURNAL_BUCKET, {**journal, "files": files})


async def _apply(server: ApiServer, obj: Object, where: str) -> None:
    told = f"{obj['kind']} {obj['metadata']['name']} of {where}"
    response = await _send(server, obj, told)
    if response.status == 409:
        _log.info("%s was changed by a user; those fields stay as they are", told)
        causes = orjson.loads(response.body)["details"].get("causes") or ()
        obj = copy.deepcopy(obj)
        for cause in causes:
            drop_field(obj, cause["field"])
        response = await _send(server, obj, told)
    if response.status >= 300:
        message = orjson.loads(response.body).get("message")
        raise EngineError(f"{told} was refused by the API server: {message}")


async def _send(server: ApiServer, obj: Object, told: str) -> Response:
    group, _, version = obj["apiVersion"].rpartition("/")
    resource = server.state.registry.of_kind(group, obj["kind"])
    if resource is None:
        raise EngineError(f"{told} cannot be applied: its kind is not served")
    root = f"/apis/{group}/{version}" if group else f"/api/{version}"
    if resource.namespaced:
        root += f"/namespaces/{obj['metadata'].get('namespace') or 'default'}"
    response = await server.handle(
        Request(
            "PATCH",
            f"{root}/{resource.plural}/{obj['metadata']['name']}",
            {"fieldManager": MANAGER, "fieldValidation": "Strict"},
            {**server.credentials, "content-type": "application/apply-patch+yaml"},
            orjson.dumps(obj),
        )
    )
    if not isinstance(response, Response):
        raise EngineError(f"{told} was answered with a stream")
    return response


def drop_field(obj: Object, path: str) -> None:
    """Remove what a conflict names, e.g. ``.data.some.key``; of a list element the whole list.

    The path does not quote dots, so the longest key that fits is taken at every step.
    """
    rest = path.removeprefix(".")
    fits = [key for key in obj if rest == key or rest.startswith((f"{key}.", f"{key}["))]
    if not fits:
        return
    key = max(fits, key=len)
    rest = rest[len(key) :]
    if rest.startswith(".") and isinstance(obj[key], dict):
        drop_field(obj[key], rest)
    else:
        del obj[key]
