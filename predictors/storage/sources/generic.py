"""Whatever else fsspec has a file system for, WebHDFS among it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from predictors.serving.errors import StorageError
from predictors.storage.errors import TransientError
from predictors.storage.plan import Listing, RemoteFile, revision_of, select
from predictors.storage.settings import TransferSettings
from predictors.storage.uris import entry_of, redacted

__all__ = ["GenericSource", "is_known"]

_HDFS: Final = ("hdfs", "webhdfs")
_SECRET_FOLDER: Final = Path("/var/secrets/kserve-hdfscreds")
_NOT_REMOTE: Final = frozenset(
    {
        *("file", "local", "dir", "asynclocal", "asyncwrapper", "generic", "reference", "data"),
        *("cached", "blockcache", "filecache", "simplecache", "zip", "tar", "libarchive"),
        *("jlab", "jupyter", "dask"),
    }
)
"""File systems of this machine, and those that stand before others."""
_TAGS: Final = ("ETag", "etag", "md5Hash", "mtime", "modificationTime", "modified", "last_modified")
_CHUNK: Final = 1024 * 1024


def is_known(uri: str) -> bool:
    """Whether fsspec is installed and knows the scheme as a place that is not this machine."""
    scheme = uri.partition("://")[0].lower()
    if scheme in _NOT_REMOTE or "::" in uri:
        return False
    try:
        from fsspec.registry import known_implementations, registry
    except ImportError:
        return False
    return scheme in _HDFS or scheme in known_implementations or scheme in registry


class GenericSource:
    """Any location that fsspec opens; options of a file system are in its own variables."""

    pinned = False

    def __init__(self, uri: str, env: Mapping[str, str], settings: TransferSettings) -> None:
        self._uri = uri
        scheme = uri.partition("://")[0].lower()
        try:
            self._fs, self._path = self._opened(scheme, env)
        except ImportError as error:
            raise StorageError(
                f"{redacted(uri)}: needs a package that is not installed: {error}"
            ) from error
        except (OSError, ValueError, TypeError) as error:
            raise StorageError(f"{redacted(uri)}: cannot be opened: {_said(error)}.") from error

    def revision(self) -> str:
        """Made of the tags or dates of all files."""
        return self.listing().revision

    def listing(self) -> Listing:
        """The file, or all below the folder, that the location names."""
        try:
            found = self._fs.find(self._path, detail=True)
        except FileNotFoundError:
            found = {}
        except Exception as error:
            raise _failure(error) from error
        files = select((_file(name, info) for name, info in found.items()), self._path)
        if not files:
            raise StorageError("there is no file at this location. Check storageUri.")
        return Listing(files, revision_of(files))

    def read(self, file: RemoteFile, start: int, end: int | None) -> Iterator[memoryview]:
        """The bytes, asked for a piece at a time."""
        end = file.size if end is None else end
        while end is None or start < end:
            upto = start + _CHUNK if end is None else min(start + _CHUNK, end)
            try:
                piece = self._fs.cat_file(self._rooted(file.key), start=start, end=upto)
            except Exception as error:
                raise _failure(error) from error
            if not piece:
                return
            yield memoryview(piece)
            start += len(piece)

    def __enter__(self) -> GenericSource:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def _opened(self, scheme: str, env: Mapping[str, str]) -> tuple[Any, str]:
        import fsspec

        if scheme in _HDFS:
            options, path = _hdfs(self._uri, env)
            return fsspec.filesystem("webhdfs", **options), path
        fs, path = fsspec.core.url_to_fs(self._uri)
        return fs, path

    def _rooted(self, key: str) -> str:
        return f"/{key}" if self._path.startswith("/") else key


def _file(name: str, info: Mapping[str, Any]) -> RemoteFile:
    tag = next((f"{key}:{info[key]}" for key in _TAGS if info.get(key)), "")
    key = name.lstrip("/")
    return RemoteFile(key, key, info.get("size"), tag)


def _hdfs(uri: str, env: Mapping[str, str]) -> tuple[dict[str, Any], str]:
    """How WebHDFS is reached: the location's host, else storage-config's, else the Secret's."""
    said = _hdfs_settings(env)
    parts = urlsplit(uri)
    path = parts.path
    node = said.get("HDFS_NAMENODE", "")
    if node:
        # KServe's locations have no host where the Secret names one: all of it is the path.
        path = f"/{parts.netloc}{parts.path}" if parts.netloc else parts.path
        root = said.get("HDFS_ROOTPATH", "").rstrip("/")
        path = f"{root}{path}"
    node = node or parts.netloc
    if not node:
        raise StorageError(f"{redacted(uri)}: names no host, and no Secret has HDFS_NAMENODE.")
    reached = urlsplit(node if "://" in node else f"http://{node}")
    secure = reached.scheme == "https"
    options: dict[str, Any] = {
        "host": reached.hostname or "",
        "port": reached.port or (9871 if secure else 9870),
        "use_https": secure,
    }
    if said.get("USER_PROXY"):
        options["proxy_to"] = said["USER_PROXY"]
    if said.get("KERBEROS_PRINCIPAL"):
        options["kerberos"] = True
    elif said.get("USER"):
        options["user"] = said["USER"]
    if said.get("TLS_SKIP_VERIFY", "").lower() == "true":
        options["session_verify"] = False
    return options, path


def _hdfs_settings(env: Mapping[str, str]) -> dict[str, str]:
    entry = entry_of(env)
    if entry.get("type") in _HDFS:
        return {key.upper(): str(value) for key, value in entry.items()}
    if not _SECRET_FOLDER.is_dir():
        return {key: env[key] for key in ("HDFS_NAMENODE", "HDFS_ROOTPATH") if env.get(key)}
    return {each.name: each.read_text().strip() for each in _SECRET_FOLDER.iterdir()}


def _failure(error: Exception) -> StorageError:
    if isinstance(error, PermissionError):
        return StorageError(f"access is denied: {_said(error)}.")
    if isinstance(error, FileNotFoundError):
        return StorageError(f"it does not exist: {_said(error)}.")
    return TransientError(f"the file system failed: {_said(error)}")


def _said(error: Exception) -> str:
    """Only the kind: texts of foreign libraries hold URLs, and those secrets."""
    return type(error).__name__
