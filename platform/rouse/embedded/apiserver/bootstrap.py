"""What every server holds from its first start: namespaces, definitions, runtimes, settings.

Applied as the manager ``rouse-bootstrap`` without force: what a user changed stays theirs, and
what is unchanged causes no write.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path

import orjson
import yaml

from rouse.embedded.apiserver.errors import Object
from rouse.embedded.apiserver.http import Request, Response
from rouse.embedded.apiserver.server import ApiServer
from rouse.errors import EngineError

__all__ = ["FOLDERS", "NAMESPACES", "bootstrap", "drop_field", "read_manifests"]

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


async def bootstrap(server: ApiServer, manifests: Path | None) -> None:
    """Apply the namespaces and every manifest; raises EngineError naming what is refused."""
    for name in NAMESPACES:
        labels = {"kubernetes.io/metadata.name": name}
        metadata = {"name": name, "labels": labels}
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
        await _apply(server, namespace, "the namespaces")
    if manifests is None:
        return
    for path, obj in read_manifests(manifests):
        await _apply(server, obj, str(path))


def read_manifests(folder: Path) -> Iterable[tuple[Path, Object]]:
    """Every document of the folders in order, with the file it is from."""
    for part in FOLDERS:
        for path in sorted((folder / part).glob("*.yaml")):
            for document in yaml.load_all(path.read_bytes(), Loader=yaml.CSafeLoader):
                if document:
                    yield path, document


async def _apply(server: ApiServer, obj: Object, where: str) -> None:
    told = f"{obj['kind']} {obj['metadata']['name']} of {where}"
    response = await _send(server, obj, told)
    if response.status == 409:
        _log.info("%s was changed by a user; those fields stay as they are", told)
        causes = orjson.loads(response.body)["details"].get("causes") or ()
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
