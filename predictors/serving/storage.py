"""Where a model's files are: a folder on this machine, or one file or archive over HTTP."""

from __future__ import annotations

import os
import shutil
import tarfile
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import IO, Final
from urllib.parse import SplitResult, unquote, urlsplit

import orjson

from predictors.serving.errors import StorageError

__all__ = ["fetched", "find_one", "redacted", "resolved"]

_STALL_SECONDS: Final = 30.0
_CHUNK: Final = 1024 * 1024
_ARCHIVES: Final = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".zip")
_SUPPORTED: Final = "a plain path, file://, pvc:// (mounted by the platform), http:// and https://"
_PLACEHOLDER: Final = "<scheme-placeholder>://"
_WITH_BUCKET: Final = ("s3",)


@contextmanager
def fetched(
    uri: str, *, env: Mapping[str, str] = os.environ, scratch: Path | None = None
) -> Iterator[Path]:
    """The folder (or the single file) of a model; what had to be downloaded is gone afterwards.

    ``scratch`` is where it is downloaded to, the system's temporary folder when None. Raises
    `StorageError` naming the path or URL, its scheme, and what to do.
    """
    uri = resolved(uri, env)
    parts = urlsplit(uri)
    match parts.scheme:
        case "" | "file":
            yield _local(uri, parts)
        case "http" | "https":
            with TemporaryDirectory(prefix="rouse-model-", dir=scratch) as folder:
                _download(uri, parts, Path(folder), env)
                yield Path(folder)
        case "pvc":
            raise StorageError(
                f"{uri}: a pvc:// volume is mounted by the platform, and the server is given the "
                "folder; pass the mounted folder with --model_dir."
            )
        case scheme:
            raise StorageError(
                f"{redacted(uri)}: scheme {scheme}:// is not supported by this server. "
                f"Supported: {_SUPPORTED}. For others, name an image that can in a "
                "ClusterStorageContainer, or bring the model to a PersistentVolumeClaim."
            )


def resolved(uri: str, env: Mapping[str, str]) -> str:
    """The uri, completed by an entry of the Secret storage-config when it leaves that open.

    STORAGE_CONFIG is the entry, STORAGE_OVERRIDE_CONFIG is laid over it; both are JSON objects.
    """
    if not uri.startswith(_PLACEHOLDER):
        return uri
    path = uri.removeprefix(_PLACEHOLDER)
    entry = {**_json(env, "STORAGE_CONFIG"), **_json(env, "STORAGE_OVERRIDE_CONFIG")}
    scheme, bucket = entry.get("type"), entry.get("bucket")
    needed = {"type": scheme, **({"bucket": bucket} if scheme in _WITH_BUCKET else {})}
    missing = next((name for name, value in needed.items() if not value), None)
    if missing:
        raise StorageError(
            f"neither the storage Secret's entry nor storage.parameters says a {missing}; "
            f"the model's path is {path}."
        )
    return f"{scheme}://{bucket}/{path}" if scheme in _WITH_BUCKET else f"{scheme}://{path}"


def find_one(path: Path, names: tuple[str, ...]) -> Path:
    """The one model file in `path`: exactly one of `names`, or `path` itself if it is a file."""
    if path.is_file():
        return path
    found = [path / name for name in names if (path / name).is_file()]
    if len(found) == 1:
        return found[0]
    if found:
        listed = ", ".join(file.name for file in found)
        raise StorageError(f"{path} holds several models ({listed}); exactly one is expected.")
    inside = sorted(entry.name for entry in path.iterdir())[:8]
    raise StorageError(
        f"{path} holds none of {', '.join(names)}. It holds: {', '.join(inside) or 'nothing'}."
    )


def redacted(uri: str) -> str:
    """`uri` without user, password and query, which may be secrets."""
    parts = urlsplit(uri)
    host = parts.netloc.rpartition("@")[2]
    return SplitResult(parts.scheme, host, parts.path, "", "").geturl()


def _local(uri: str, parts: SplitResult) -> Path:
    if parts.scheme and parts.netloc not in ("", "localhost"):
        raise StorageError(
            f"{uri}: file:// takes an absolute path, such as file:///{parts.netloc}{parts.path}."
        )
    path = Path(unquote(parts.path) if parts.scheme else uri)
    if not path.exists():
        scheme = "file://" if parts.scheme else "a plain path"
        raise StorageError(f"{path} does not exist (given as {scheme}). Check storageUri.")
    if not os.access(path, os.R_OK):
        raise StorageError(f"{path} is not readable by user {os.getuid()}.")
    return path


def _json(env: Mapping[str, str], name: str) -> dict[str, str]:
    """A JSON object of the environment; its text is a secret and never told."""
    try:
        found = orjson.loads(env.get(name) or "{}")
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise StorageError(f"The environment variable {name} is no JSON object.")
    return found


def _request(uri: str, host: str, env: Mapping[str, str]) -> urllib.request.Request:
    """With the headers that a Secret gives for this host; a redirection does not get them."""
    request = urllib.request.Request(uri)  # noqa: S310
    for name, value in _json(env, f"{host}-headers").items():
        request.add_unredirected_header(name, str(value))
    return request


def _download(uri: str, parts: SplitResult, folder: Path, env: Mapping[str, str]) -> None:
    name = PurePosixPath(unquote(parts.path)).name
    if not name:
        raise StorageError(f"{redacted(uri)}: the URL names no file.")
    target = folder / name
    request = _request(uri, parts.hostname or "", env)
    try:
        # The scheme was checked by the caller: nothing but http(s) gets here.
        with (
            urllib.request.urlopen(request, timeout=_STALL_SECONDS) as response,  # noqa: S310
            target.open("xb") as file,
        ):
            shutil.copyfileobj(response, file, _CHUNK)
            expected = response.headers.get("content-length")
    except urllib.error.HTTPError as error:
        error.close()
        raise StorageError(f"{redacted(uri)}: answered {error.code} {error.reason}.") from error
    except OSError as error:
        reason = getattr(error, "reason", None) or error
        raise StorageError(f"{redacted(uri)}: cannot be downloaded: {reason}.") from error
    if expected is not None and target.stat().st_size != int(expected):
        raise StorageError(f"{redacted(uri)}: the download ended early; try again.")
    if name.endswith(_ARCHIVES):
        _unpack(target, folder)


def _unpack(archive: Path, folder: Path) -> None:
    """Unpack regular files only, and only below `folder`; the archive itself is removed."""
    try:
        if archive.name.endswith(".zip"):
            with zipfile.ZipFile(archive) as opened:
                for entry in opened.infolist():
                    if not entry.is_dir():
                        with opened.open(entry) as source:
                            _write(folder, entry.filename, source)
        else:
            with tarfile.open(archive) as opened_tar:
                for member in opened_tar:
                    content = opened_tar.extractfile(member) if member.isreg() else None
                    if content is not None:
                        _write(folder, member.name, content)
    except (tarfile.TarError, zipfile.BadZipFile, EOFError) as error:
        raise StorageError(f"{archive.name} is not a valid archive: {error}.") from error
    archive.unlink()


def _write(folder: Path, name: str, source: IO[bytes]) -> None:
    target = (folder / name).resolve()
    if not target.is_relative_to(folder.resolve()):
        raise StorageError(f"The archive wants to write outside its folder: {name}.")
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as file:
        shutil.copyfileobj(source, file, _CHUNK)
