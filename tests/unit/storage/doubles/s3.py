"""A test double of S3's API, as far as reading goes: ListObjectsV2, HEAD and GET of objects."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from urllib.parse import parse_qs, unquote, urlsplit

from tests.unit.storage.doubles.web import Handler

PAGE = 2


class S3Handler(Handler):
    """Objects are the origin's files ``/BUCKET/KEY``; it pages after every second one."""

    def respond(self) -> None:
        parts = urlsplit(self.path)
        self.path = unquote(parts.path)
        said = parse_qs(parts.query)
        if "list-type" not in said:
            super().respond()
            return
        origin = self.origin
        origin.requests.append(("LIST", self.path, {k.lower(): v for k, v in self.headers.items()}))
        bucket = self.path.strip("/")
        prefix = f"/{bucket}/{said.get('prefix', [''])[0]}"
        keys = sorted(key for key in origin.files if key.startswith(prefix))
        begin = int(said.get("continuation-token", ["0"])[0])
        page = keys[begin : begin + PAGE]
        more = begin + PAGE < len(keys)
        entries = "".join(
            f"<Contents><Key>{escape(key.removeprefix(f'/{bucket}/'))}</Key>"
            f"<LastModified>2026-01-01T00:00:00.000Z</LastModified>"
            f"<ETag>{escape(origin.etag(key))}</ETag><Size>{len(origin.files[key])}</Size>"
            "<StorageClass>STANDARD</StorageClass></Contents>"
            for key in page
        )
        token = f"<NextContinuationToken>{begin + PAGE}</NextContinuationToken>" if more else ""
        body = (
            '<?xml version="1.0"?><ListBucketResult><Name>b</Name>'
            f"<IsTruncated>{str(more).lower()}</IsTruncated>{token}{entries}</ListBucketResult>"
        )
        self.answer(200, body.encode(), **{"content-type": "application/xml"})

    def send(self, status: int, body: bytes, cut: int | None, headers: Mapping[str, str]) -> None:
        dated = {"last-modified": "Thu, 01 Jan 2026 00:00:00 GMT", **headers}
        super().send(status, body, cut, dated)
