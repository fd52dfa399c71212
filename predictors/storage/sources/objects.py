"""Buckets of S3, Google Cloud Storage and Azure, by obstore."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, unquote, urlsplit

from predictors.serving.errors import StorageError
from predictors.storage.credentials import azure_options, gs_options, s3_options
from predictors.storage.errors import ChangedError, TransientError
from predictors.storage.plan import Listing, RemoteFile, revision_of, select
from predictors.storage.settings import TransferSettings
from predictors.storage.uris import redacted

if TYPE_CHECKING:
    from obstore.store import ObjectStore

__all__ = ["ObjectSource", "is_azure"]

_AZURE_HOST: Final = re.compile(
    r"(?P<account>[a-z0-9]+)\.(?P<kind>blob|dfs|file)\.core\.[a-z.]+", re.IGNORECASE
)
_AZURE_SCHEMES: Final = ("az", "azure", "abfs", "abfss", "adl")
_STREAMED: Final = 1024 * 1024


def is_azure(uri: str) -> bool:
    """Whether a URL is one of Azure's storage, and not signed: a signed one is a plain download."""
    parts = urlsplit(uri)
    return bool(_AZURE_HOST.fullmatch(parts.hostname or "")) and "sig" not in parse_qs(parts.query)


class ObjectSource:
    """``s3://BUCKET/KEY``, ``gs://BUCKET/KEY``, or a location of Azure's blobs."""

    pinned = False

    def __init__(self, uri: str, env: Mapping[str, str], settings: TransferSettings) -> None:
        self._settings = settings
        self._scheme = urlsplit(uri).scheme.lower()
        account, self._bucket, self._path = _place(uri)
        with _needs_obstore(uri):
            self._store = self._opened(account, env)

    def revision(self) -> str:
        """Made of the tags of all objects: as dear as the listing, a request for 1000 of them."""
        return self.listing().revision

    def listing(self) -> Listing:
        """The object, or all below the folder, that the location names."""
        import obstore

        with self._failures():
            single = self._single()
            found = [] if single is None else [single]
            if single is None:
                for batch in obstore.list(self._store, prefix=self._path or None, chunk_size=1000):
                    found += [_file(each) for each in batch]
        files = select(found, self._path)
        return Listing(self._checked(files), revision_of(files))

    def read(self, file: RemoteFile, start: int, end: int | None) -> Iterator[memoryview]:
        """The bytes, as the Rust side receives them."""
        import obstore

        options: Any = {"range": (start, file.size if end is None else end)}
        if file.etag:
            options["if_match"] = file.etag
        with self._failures(file.path):
            answer = obstore.get(self._store, file.key, options=options)
            for piece in answer.stream(min_chunk_size=_STREAMED):
                yield memoryview(piece)

    def write(self, name: str, data: bytes) -> None:
        """Put an object below the location. Raises `StorageError`."""
        import obstore

        key = f"{self._path}/{name}" if self._path else name
        with self._failures(key):
            obstore.put(self._store, key, data)

    def __enter__(self) -> ObjectSource:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def _opened(self, account: str, env: Mapping[str, str]) -> ObjectStore:
        from obstore.store import AzureStore, GCSStore, S3Store

        common: Any = {
            "retry_config": {"max_retries": 0, "retry_timeout": timedelta(seconds=1)},
        }
        if self._scheme.startswith("s3"):
            store, client = s3_options(env)
            made: Any = S3Store
        elif self._scheme in ("gs", "gcs"):
            store, client = gs_options(env)
            made = GCSStore
        else:
            store, client = azure_options(env, account)
            made = AzureStore
        stall = f"{self._settings.stall_seconds}s"
        # The whole request has a deadline too, but a slow link is no stalled one.
        client |= {"timeout": "24h", "read_timeout": stall, "connect_timeout": stall}
        name = "container_name" if made is AzureStore else "bucket"
        opened: ObjectStore = made(
            config={name: self._bucket, **store}, client_options=client, **common
        )
        return opened

    def _single(self) -> RemoteFile | None:
        import obstore
        from obstore.exceptions import PermissionDeniedError

        if not self._path:
            return None
        try:
            return _file(obstore.head(self._store, self._path))
        except (FileNotFoundError, PermissionDeniedError):
            # S3 denies a look at an object that is not there to whoever may not list.
            return None

    def _checked(self, files: tuple[RemoteFile, ...]) -> tuple[RemoteFile, ...]:
        if not files:
            raise StorageError(
                f"there is no object {self._path!r} in {self._bucket}, and none below it. "
                "Check storageUri."
            )
        return files

    @contextmanager
    def _failures(self, name: str = "") -> Iterator[None]:
        """What obstore raises, as errors of this package; its texts hold URLs and are not told."""
        from obstore import exceptions

        what = name or f"the bucket {self._bucket}"
        try:
            yield
        except (exceptions.PermissionDeniedError, exceptions.UnauthenticatedError) as error:
            raise StorageError(
                f"access to {what} is denied. Check the credentials of the service account (its "
                "Secrets) and the rights they have."
            ) from error
        except exceptions.PreconditionError as error:
            raise ChangedError(f"{what} changed during its download.") from error
        except FileNotFoundError as error:
            raise StorageError(f"{what} does not exist. Check storageUri.") from error
        except (exceptions.BaseError, OSError) as error:
            raise _transient(what, error) from error


def _transient(what: str, error: Exception) -> StorageError:
    text = str(error)
    status = re.search(r"\b(?:status|code)\D{0,12}([45]\d\d)\b", text)
    if status is not None and status[1][0] == "4" and status[1] not in ("408", "429"):
        return StorageError(f"{what}: answered {status[1]}. Check location and credentials.")
    if "redirect" in text and "region" in text:
        return StorageError(f"{what}: is in another region; set AWS_DEFAULT_REGION (s3-region).")
    said = f"answered {status[1]}" if status is not None else "the connection broke or stalled"
    return TransientError(f"{what}: {said}")


def _place(uri: str) -> tuple[str, str, str]:
    """Account (Azure's only), bucket and key of a location."""
    parts = urlsplit(uri)
    scheme, host = parts.scheme.lower(), parts.netloc
    key = unquote(parts.path) if scheme in ("http", "https") else parts.path
    key = key.lstrip("/")
    if scheme in ("http", "https", *_AZURE_SCHEMES):
        account, bucket, key = _azure_place(uri, scheme, host, key)
    else:
        account, bucket = "", host.rpartition("@")[2]
        # A key may hold "?" and "#", which mean something in URLs only.
        rest = uri.partition("://")[2].partition("/")[2]
        key = rest.lstrip("/")
    if not bucket:
        raise StorageError(f"{redacted(uri)}: names no bucket; write {scheme}://BUCKET/PATH.")
    return account, bucket, key.rstrip("/")


def _azure_place(uri: str, scheme: str, host: str, key: str) -> tuple[str, str, str]:
    container, at, named = host.rpartition("@")
    known = _AZURE_HOST.fullmatch(named)
    if known is None:
        return (named.partition(".")[0] if at else ""), (container if at else named), key
    if known["kind"].lower() == "file":
        raise StorageError(
            f"{redacted(uri)}: Azure's file shares are not fetched; mount the share as a "
            "PersistentVolume and name it as pvc://."
        )
    if at and scheme not in ("http", "https"):
        return known["account"], container, key
    container, _, key = key.partition("/")
    return known["account"], container, key.lstrip("/")


def _file(meta: Any) -> RemoteFile:
    etag = meta["e_tag"] or ""
    # An S3 tag of this form is the MD5 of the object unless it came in parts; but stores are not
    # bound to that (encryption by KMS), so it is a tag here and no checksum.
    return RemoteFile(meta["path"], meta["path"], meta["size"], etag)


@contextmanager
def _needs_obstore(uri: str) -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise StorageError(
            f"{redacted(uri)}: needs the package obstore; install rouse[storage]."
        ) from error
