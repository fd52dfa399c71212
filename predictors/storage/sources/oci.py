"""Models in OCI registries: images that hold them in /models, and artifacts as ORAS makes them."""

from __future__ import annotations

import hashlib
import platform
import re
import threading
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode, urlsplit

import orjson

from predictors.serving.errors import StorageError
from predictors.storage.errors import TransientError
from predictors.storage.http import Answer, Client, StatusError
from predictors.storage.plan import Listing, RemoteFile, Unpack
from predictors.storage.settings import TransferSettings
from predictors.storage.sources.registry import basic_of, challenge_of, read_blob
from predictors.storage.uris import redacted

__all__ = ["OciSource"]

_INDEXES: Final = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
_MANIFESTS: Final = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
_TITLE: Final = "org.opencontainers.image.title"
_UNPACKED: Final = "io.deis.oras.content.unpack"
_MODELS: Final = "models"
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
_MACHINES: Final = {"x86_64": "amd64", "aarch64": "arm64"}
_LOCAL: Final = re.compile(r"(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?")


class _Place(NamedTuple):
    registry: str
    repository: str
    reference: str


class OciSource:
    """``oci://REGISTRY/REPOSITORY[:TAG|@sha256:...]``.

    Credentials are those of a Docker config (DOCKER_CONFIG, REGISTRY_AUTH_FILE). A registry on
    this machine is spoken to without TLS, as by other clients.
    """

    def __init__(self, uri: str, env: Mapping[str, str], settings: TransferSettings) -> None:
        self._place = _place(uri)
        registry = self._place.registry
        scheme = "http" if _LOCAL.fullmatch(registry) else "https"
        self._base = f"{scheme}://{registry}/v2/{self._place.repository}"
        self._client = Client(settings.stall_seconds, ca_file=env.get("SSL_CERT_FILE", ""))
        self._basic = basic_of(env, registry)
        self._access: dict[str, str] = {}
        self._lock = threading.Lock()
        self.pinned = bool(_DIGEST.fullmatch(self._place.reference))

    def revision(self) -> str:
        """The digest that the tag means now; one request without a body unless it is pinned."""
        if self.pinned:
            return self._place.reference
        with self._ask(f"manifests/{self._place.reference}", method="HEAD") as answer:
            digest = answer.headers.get("docker-content-digest", "")
        return digest if _DIGEST.fullmatch(digest) else self._manifest(self._place.reference)[1]

    def listing(self) -> Listing:
        """The layers of the image for this machine, or the files of an artifact."""
        manifest, digest = self._manifest(self._place.reference)
        children = manifest.get("manifests")
        if isinstance(children, list):
            manifest, _ = self._manifest(_for_platform(children))
        layers = manifest.get("layers")
        if not isinstance(layers, list):
            raise StorageError("its manifest has no layers.")
        titled = any(_TITLE in (each.get("annotations") or {}) for each in layers)
        files = [_artifact_file(each) if titled else _layer(each) for each in layers]
        return Listing(tuple(each for each in files if each is not None), digest)

    def read(self, file: RemoteFile, start: int, end: int | None) -> Iterator[memoryview]:
        """The bytes of a blob; where it is redirected to gets no token."""
        ranges = {"range": f"bytes={start}-{end - 1}"} if end is not None else {}
        return read_blob(self._client, self._ask(f"blobs/{file.key}", **ranges), file, start, end)

    def __enter__(self) -> OciSource:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def _manifest(self, reference: str) -> tuple[dict[str, Any], str]:
        accept = ", ".join((*_INDEXES, *_MANIFESTS))
        with self._ask(f"manifests/{reference}", accept=accept) as answer:
            body = b"".join(bytes(piece) for piece in self._client.chunks(answer))
        digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
        if _DIGEST.fullmatch(reference) and digest != reference:
            raise TransientError(f"the manifest {reference} has the digest {digest}")
        try:
            parsed = orjson.loads(body)
        except orjson.JSONDecodeError:
            parsed = None
        if not isinstance(parsed, dict):
            raise StorageError("the registry's manifest is malformed.")
        return parsed, digest

    def _ask(self, path: str, *, method: str = "GET", **headers: str) -> Answer:
        url = f"{self._base}/{path}"
        if method == "HEAD":
            headers["accept"] = ", ".join((*_INDEXES, *_MANIFESTS))
        sent = self._access
        try:
            return self._client.open(url, headers=headers, secret=sent, method=method)
        except StatusError as error:
            if error.status != 401:
                raise self._refused(error) from error
            challenge = error.headers.get("www-authenticate", "")
        with self._lock:
            if self._access is sent:
                self._access = self._token(challenge)
        try:
            return self._client.open(url, headers=headers, secret=self._access, method=method)
        except StatusError as error:
            raise self._refused(error) from error

    def _token(self, challenge: str) -> dict[str, str]:
        """What to send along from now on, by the registry's challenge."""
        kind, said = challenge_of(challenge)
        basic = {"authorization": f"Basic {self._basic}"} if self._basic else {}
        realm = said.get("realm", "")
        if kind != "bearer":
            return basic
        if urlsplit(realm).scheme != "https" and not _LOCAL.fullmatch(urlsplit(realm).netloc):
            raise StorageError("the registry asks for a token from a place without TLS.")
        scope = said.get("scope") or f"repository:{self._place.repository}:pull"
        asked = {"scope": scope, **({"service": said["service"]} if "service" in said else {})}
        joint = "&" if "?" in realm else "?"
        try:
            body, _ = self._client.document(f"{realm}{joint}{urlencode(asked)}", secret=basic)
        except StatusError as error:
            raise self._refused(error) from error
        try:
            found = orjson.loads(body)
            token = found.get("token") or found["access_token"]
        except (orjson.JSONDecodeError, AttributeError, KeyError):
            raise StorageError("the registry's token service answers nothing of use.") from None
        return {"authorization": f"Bearer {token}"}

    def _refused(self, error: StatusError) -> StatusError:
        if error.status in (401, 403):
            help_ = (
                f"{self._place.registry} wants credentials that may pull "
                f"{self._place.repository}: mount a Docker config and name its folder by "
                "DOCKER_CONFIG."
            )
        elif error.status == 404:
            help_ = f"there is no {self._place.repository} with {self._place.reference}."
        else:
            return error
        return StatusError(f"{str(error).rstrip('.')}: {help_}", error.status, error.headers)


def _layer(layer: Any) -> RemoteFile | None:
    media = str(layer.get("mediaType", ""))
    if "tar" not in media:
        return None
    return _blob(layer, str(layer.get("digest", "")), Unpack("tar", _MODELS, layer=True))


def _artifact_file(layer: Any) -> RemoteFile | None:
    said = layer.get("annotations") or {}
    title = str(said.get(_TITLE, ""))
    if not title:
        return None
    folder = str(said.get(_UNPACKED, "")).lower() == "true"
    return _blob(layer, title, Unpack("tar") if folder else None)


def _blob(layer: Any, path: str, how: Unpack | None) -> RemoteFile:
    digest, size = layer.get("digest", ""), layer.get("size")
    if not isinstance(digest, str) or not _DIGEST.fullmatch(digest) or not isinstance(size, int):
        raise StorageError("its manifest has a layer without a sha256 digest and a size.")
    return RemoteFile(path, digest, size, "", digest, unpack=how)


def _for_platform(children: list[Any]) -> str:
    """The digest of the image for this machine; where none says so, of the first."""
    machine = platform.machine()
    wanted = {"os": "linux", "architecture": _MACHINES.get(machine, machine)}
    for child in children:
        said = child.get("platform") or {}
        if all(said.get(key) == value for key, value in wanted.items()):
            return str(child.get("digest", ""))
    named = [child for child in children if (child.get("platform") or {}).get("os") == "linux"]
    if named:
        raise StorageError(f"it has no image for linux/{wanted['architecture']}.")
    if not children:
        raise StorageError("its index is empty.")
    return str(children[0].get("digest", ""))


def _place(uri: str) -> _Place:
    name = uri.partition("://")[2].strip("/")
    name, at, digest = name.partition("@")
    registry, _, repository = name.partition("/")
    if "." not in registry and ":" not in registry and registry != "localhost":
        registry, repository = "registry-1.docker.io", name if "/" in name else f"library/{name}"
    elif registry in ("docker.io", "index.docker.io"):
        registry = "registry-1.docker.io"
        repository = repository if "/" in repository else f"library/{repository}"
    repository, _, tag = repository.partition(":")
    if not re.fullmatch(r"[a-z0-9]+([._/-]+[a-z0-9]+)*", repository) or (
        at and not _DIGEST.fullmatch(digest)
    ):
        raise StorageError(
            f"{redacted(uri)}: write oci://REGISTRY/REPOSITORY:TAG or ...@sha256:DIGEST."
        )
    return _Place(registry, repository, digest or tag or "latest")
