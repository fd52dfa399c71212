"""A test double of the Hugging Face Hub's HTTP API: revision, tree in pages, resolve."""

from __future__ import annotations

import hashlib
from urllib.parse import parse_qs, unquote, urlsplit

import orjson

from tests.unit.storage.doubles.web import Handler

COMMIT = "a" * 40
TOKEN = "hf_hush"
PAGE = 2


class HubHandler(Handler):
    """The model org/m; files above 100 bytes are in LFS, at the origin's redirect `store`."""

    store = ""

    def respond(self) -> None:
        parts = urlsplit(self.path)
        with self.origin.lock:
            self.origin.requests.append(
                (self.command, self.path, {k.lower(): v for k, v in self.headers.items()})
            )
        if any(fault(self) for fault in self.origin.faults):
            return
        path = unquote(parts.path)
        if path == "/api/models/org/m/revision/main":
            self.answer(200, orjson.dumps({"sha": COMMIT}))
        elif path.startswith(f"/api/models/org/m/tree/{COMMIT}"):
            self.tree(int(parse_qs(parts.query).get("cursor", ["0"])[0]))
        elif path.startswith(f"/org/m/resolve/{COMMIT}/"):
            name = path.removeprefix(f"/org/m/resolve/{COMMIT}")
            if len(self.origin.files[name]) > 100 and self.store:
                self.answer(302, b"", location=self.store + name)
            else:
                self.file(name)
        else:
            self.answer(404, b"", **{"x-error-code": "RepoNotFound"})

    def tree(self, begin: int) -> None:
        names = sorted(self.origin.files)
        entries = [self.entry(name) for name in names[begin : begin + PAGE]]
        entries.append({"type": "directory", "path": "onnx", "size": 0, "oid": "0"})
        url = f"{self.origin.url}/api/models/org/m/tree/{COMMIT}?recursive=true"
        more = {"link": f'<{url}&cursor={begin + PAGE}>; rel="next"'}
        self.answer(200, orjson.dumps(entries), **(more if begin + PAGE < len(names) else {}))

    def entry(self, name: str) -> dict[str, object]:
        body = self.origin.files[name]
        plain = hashlib.sha1(b"blob %d\0" % len(body) + body).hexdigest()
        said: dict[str, object] = {"type": "file", "path": name[1:], "size": len(body)}
        if len(body) <= 100:
            return {**said, "oid": plain}
        lfs = {"oid": hashlib.sha256(body).hexdigest(), "size": len(body)}
        return {**said, "oid": "b" * 40, "lfs": lfs}
