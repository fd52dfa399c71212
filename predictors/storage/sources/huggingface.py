"""Models of the Hugging Face Hub, by its HTTP API."""

from __future__ import annotations

import http.client
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, unquote, urljoin, urlsplit

import orjson

from predictors.serving.errors import StorageError
from predictors.storage.credentials import with_entry
from predictors.storage.errors import OfflineError, TransientError
from predictors.storage.http import Client, StatusError
from predictors.storage.plan import Listing, RemoteFile
from predictors.storage.settings import TransferSettings
from predictors.storage.sources.web import read_range
from predictors.storage.uris import redacted

__all__ = ["HuggingFaceSource"]

_HUB: Final = "https://huggingface.co"
_COMMIT: Final = re.compile(r"[0-9a-f]{40}")
_NAME: Final = re.compile(r"\w[\w.-]*")
_NEXT: Final = re.compile(r'<([^>]*)>\s*;\s*rel="?next"?')
_MAX_PAGES: Final = 1000


class HuggingFaceSource:
    """``hf://ORG/MODEL[:REVISION][/PATH]``; the revision is a branch, a tag or a commit.

    HF_TOKEN opens private and gated models, HF_ENDPOINT names another hub, and with
    HF_HUB_OFFLINE nothing but a cached model is used.
    """

    def __init__(self, uri: str, env: Mapping[str, str], settings: TransferSettings) -> None:
        env = with_entry(env, "hf")
        self._repo, self._revision, self._path = _place(uri)
        self._hub = (env.get("HF_ENDPOINT") or _HUB).rstrip("/")
        self._offline = env.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE")
        token = env.get("HF_TOKEN") or env.get("HUGGING_FACE_HUB_TOKEN") or _token_file(env)
        self._secret = {"authorization": f"Bearer {token}"} if token else {}
        self._client = Client(settings.stall_seconds, ca_file=env.get("SSL_CERT_FILE", ""))
        self.pinned = bool(_COMMIT.fullmatch(self._revision))
        self._commit = self._revision if self.pinned else ""

    def revision(self) -> str:
        """The commit that the revision means now; one request unless it is one."""
        if self.pinned:
            return self._revision
        name = quote(self._revision, safe="")
        body, _ = self._ask(f"{self._hub}/api/models/{self._repo}/revision/{name}")
        commit = str(_parsed(body, dict).get("sha", ""))
        if not _COMMIT.fullmatch(commit):
            raise StorageError("the hub's answer names no commit.")
        self._commit = commit
        return commit

    def listing(self) -> Listing:
        """The files of one commit, whatever the branch does meanwhile."""
        commit = self.revision()
        start = f"{self._hub}/api/models/{self._repo}/tree/{commit}"
        url: str | None = start + (f"/{quote(self._path)}" if self._path else "")
        url = f"{url}?recursive=true"
        found: list[Any] = []
        for _ in range(_MAX_PAGES):
            if url is None:
                break
            try:
                body, headers = self._ask(url)
            except StatusError as error:
                # The path may be a file, which has no tree of its own.
                if error.status != 404 or not self._path or url.startswith(f"{start}?"):
                    raise
                url = f"{start}?recursive=true"
                continue
            found += _parsed(body, list)
            url = self._next(url, headers.get("link", ""))
        files = tuple(_files(found, self._path))
        if not files:
            raise StorageError(
                f"{self._repo} has no file {self._path or 'at all'} at this revision."
            )
        return Listing(files, commit if not self._path else f"{commit}/{self._path}")

    def read(self, file: RemoteFile, start: int, end: int | None) -> Iterator[memoryview]:
        """The bytes; large files are redirected to another host, which is given no token."""
        url = f"{self._hub}/{self._repo}/resolve/{self._commit}/{quote(file.key)}"
        plain = RemoteFile(file.path, file.key, file.size)
        try:
            return read_range(
                self._client, url, plain, start, end, secret=self._secret, follows=True
            )
        except StatusError as error:
            raise self._refused(error) from error

    def _ask(self, url: str) -> tuple[bytes, http.client.HTTPMessage]:
        if self._offline:
            raise OfflineError(
                "HF_HUB_OFFLINE is set, and this model is not in the cache. Unset it, or fetch the "
                "model into the cache (ROUSE_MODEL_CACHE) while there is a network."
            )
        try:
            return self._client.document(url, secret=self._secret, follows=True)
        except StatusError as error:
            raise self._refused(error) from error

    def _refused(self, error: StatusError) -> StatusError:
        code = error.headers.get("x-error-code", "")
        page = f"{self._hub}/{self._repo}"
        if code == "GatedRepo" or error.status == 403:
            help_ = (
                f"{self._repo} is gated: accept its conditions at {page}, and give a token of that "
                "account that may read it as HF_TOKEN (a Secret with the key HF_TOKEN)."
            )
        elif code in ("RevisionNotFound", "EntryNotFound"):
            help_ = f"{self._repo} has no such revision or file. See {page}."
        elif error.status in (401, 404):
            have = "The token that was given" if self._secret else "Nobody without a token"
            help_ = (
                f"{self._repo} does not exist, or is private. {have} cannot see it: check the "
                "name, or give a token that may read it as HF_TOKEN."
            )
        else:
            return error
        return StatusError(f"{str(error).rstrip('.')}: {help_}", error.status, error.headers)

    def _next(self, url: str, link: str) -> str | None:
        found = _NEXT.search(link)
        if found is None:
            return None
        following: str = urljoin(url, found[1])
        if urlsplit(following)[:2] != urlsplit(url)[:2]:
            raise StorageError("the hub's list goes on at another host, which is not followed.")
        return following

    def __enter__(self) -> HuggingFaceSource:
        return self

    def __exit__(self, *_: object) -> None:
        return


def _files(entries: list[Any], path: str) -> Iterator[RemoteFile]:
    """The files at or below ``path``, as paths below it."""
    for entry in entries:
        if not isinstance(entry, dict) or entry.get("type") != "file":
            continue
        name, size, oid = entry.get("path"), entry.get("size"), entry.get("oid")
        if not isinstance(name, str) or not isinstance(size, int):
            raise TransientError("the hub's list of files is malformed")
        if path and name != path and not name.startswith(f"{path}/"):
            continue
        target = name.rpartition("/")[2] if name == path else name[len(path) :].lstrip("/")
        lfs = entry.get("lfs")
        if isinstance(lfs, dict):
            oid = str(lfs.get("oid", "")).removeprefix("sha256:")
            yield RemoteFile(target, name, int(lfs.get("size", size)), "", f"sha256:{oid}")
        else:
            yield RemoteFile(target, name, size, "", f"git:{oid}")


def _parsed(body: bytes, kind: type[Any]) -> Any:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, kind):
        raise TransientError("the hub's answer is malformed")
    return found


def _place(uri: str) -> tuple[str, str, str]:
    """Repository, revision and path of a location."""
    words = [word for word in uri.partition("://")[2].split("/") if word]
    if len(words) < 2:
        raise StorageError(f"{redacted(uri)}: write hf://ORG/MODEL[:REVISION][/PATH].")
    name, _, revision = re.sub("@", ":", words[1], count=1).partition(":")
    if not _NAME.fullmatch(words[0]) or not _NAME.fullmatch(name):
        raise StorageError(f"{redacted(uri)}: write hf://ORG/MODEL[:REVISION][/PATH].")
    return f"{words[0]}/{name}", unquote(revision) or "main", unquote("/".join(words[2:]))


def _token_file(env: Mapping[str, str]) -> str:
    named = env.get("HF_TOKEN_PATH") or (f"{env['HF_HOME']}/token" if env.get("HF_HOME") else "")
    try:
        return Path(named).read_text().strip() if named else ""
    except OSError:
        return ""
