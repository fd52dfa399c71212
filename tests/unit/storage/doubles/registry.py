"""A test double of an OCI registry: manifests and blobs, behind tokens."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Mapping
from typing import Any

import orjson

from tests.unit.storage.doubles.web import Handler, Origin

TOKEN = "hush-token"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"


class RegistryHandler(Handler):
    """Answers 401 with a challenge until the token is sent."""

    def respond(self) -> None:
        if self.path.startswith("/token"):
            body = {"token": TOKEN} if "scope=repository%3Aorg%2Fm%3Apull" in self.path else {}
            self.answer(200, orjson.dumps(body))
        elif self.headers.get("authorization") != f"Bearer {TOKEN}":
            realm = f'Bearer realm="{self.origin.url}/token",service="test"'
            self.answer(401, b"", **{"www-authenticate": realm})
        else:
            super().respond()


def put(origin: Origin, document: Mapping[str, Any], *tags: str) -> str:
    """Store a manifest under its digest and the tags; the digest."""
    body = orjson.dumps(document)
    digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
    for name in (digest, *tags):
        origin.files[f"/v2/org/m/manifests/{name}"] = body
    return digest


def blob(origin: Origin, body: bytes, media: str, **annotations: str) -> dict[str, Any]:
    """Store a blob; its descriptor."""
    digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
    origin.files[f"/v2/org/m/blobs/{digest}"] = body
    said: dict[str, Any] = {"mediaType": media, "digest": digest, "size": len(body)}
    return {**said, "annotations": annotations} if annotations else said


def layer(files: Mapping[str, bytes], mode: str = "w:gz") -> bytes:
    """A layer's tar."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode=mode) as opened:  # type: ignore[call-overload]
        for name, body in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(body)
            opened.addfile(member, io.BytesIO(body))
    return made.getvalue()
