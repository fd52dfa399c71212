"""A slow model that notices when it is asked two things at once."""

from __future__ import annotations

import json
import os
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COUNT_LOCK = threading.Lock()
seen = {"active": 0, "most": 0}


class Slow(BaseHTTPRequestHandler):
    """GET /: after SECONDS, how many requests were ever answered at once."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        with COUNT_LOCK:
            seen["active"] += 1
            seen["most"] = max(seen["most"], seen["active"])
        time.sleep(float(os.environ["SECONDS"]))
        with COUNT_LOCK:
            seen["active"] -= 1
        encoded = json.dumps({"pid": os.getpid(), "most": seen["most"]}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(encoded)))
        self.end_headers()
        self.wfile.write(encoded)


ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Slow).serve_forever()
