"""A transformer as anybody writes one: asks its predictor by its cluster-local host."""

from __future__ import annotations

import json
import os
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


class Transformer(BaseHTTPRequestHandler):
    """POST /?predictor=HOST: passes the body on and adds who answered."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        host = parse_qs(urlsplit(self.path).query)["predictor"][0]
        url = f"http://{host}/v1/models/{os.environ['MODEL']}:predict"
        with urllib.request.urlopen(url, data=body, timeout=30) as answer:
            said = json.load(answer) | {"by": host}
        encoded = json.dumps(said).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(encoded)))
        self.end_headers()
        self.wfile.write(encoded)


ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Transformer).serve_forever()
