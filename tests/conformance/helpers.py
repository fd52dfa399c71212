"""Servers in one string each, for containers that have nothing but Python."""

from __future__ import annotations

from typing import Final

from rouse.kube.objects import Object

__all__ = ["COUNTING", "ECHOING", "EXPLAINING", "MODEST", "TRANSFORMING", "container"]

_SERVER = """
import json, os, signal, sys, threading, time, urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# The first process of a container is ended by no signal that it does not handle.
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))

def option(name, default=None):
    for at, word in enumerate(sys.argv):
        if word.partition("=")[0] == name:
            return word.partition("=")[2] or sys.argv[at + 1]
    return default

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *_): pass
    def reply(self, code, body):
        data = json.dumps(body).encode()
        self.send_response(code)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
    def do_GET(self):
        self.reply(200, {"ok": True})
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        code, answer = handle(self.path, json.loads(body or b"{}"))
        self.reply(code, answer)

def ask(host, path, body):
    request = urllib.request.Request(
        "http://" + host + path, json.dumps(body).encode(), {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)
"""

_SERVE = """
class Server(ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True
port = int(option("--http_port") or os.environ.get("PORT") or 8080)
Server(("", port), Handler).serve_forever()
"""

COUNTING = (
    _SERVER
    + """
lock, seen = threading.Lock(), {"now": 0, "most": 0}
def handle(path, body):
    with lock:
        seen["now"] += 1
        seen["most"] = max(seen["most"], seen["now"])
    time.sleep(float(os.environ.get("SECONDS", "0")))
    with lock:
        seen["now"] -= 1
    return 200, {"replica": os.environ.get("HOSTNAME", "") + ":" + str(os.getpid()),
                 "most": seen["most"]}
"""
    + _SERVE
)
"""Answers after $SECONDS which replica it is and how many requests it ever had at once."""

TRANSFORMING = (
    _SERVER
    + """
def handle(path, body):
    rows = [[value / 10 for value in row] for row in body["instances"]]
    answer = ask(option("--predictor_host"), path, {"instances": rows})
    return 200, {**answer, "transformed": True}
"""
    + _SERVE
)
"""Takes millimetres and asks the predictor, which it is told in KServe's way, in centimetres."""

EXPLAINING = (
    _SERVER
    + """
def handle(path, body):
    if not path.endswith(":explain"):
        return 404, {"error": "an explainer explains"}
    answer = ask(option("--predictor_host"), path.replace(":explain", ":predict"), body)
    return 200, {"explained": answer["predictions"]}
"""
    + _SERVE
)
"""Answers :explain with what the predictor said."""

ECHOING = (
    _SERVER
    + """
class Handler(Handler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers.get("content-length") or 0)) or b"{}")
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.reply(body.get("status", 200), {"asked": body, "headers": headers})
"""
    + _SERVE
)
"""Answers what it was asked, body and headers, with the status that the body names."""


MODEST: Final = {
    "requests": {"cpu": "10m", "memory": "128Mi"},
    "limits": {"cpu": "1", "memory": "1Gi"},
}
"""What a server of the suite asks for, so that many of them find room on a small node."""


def container(code: str, image: str, name: str = "kserve-container", **env: str) -> Object:
    """A container that runs one of these servers."""
    return {
        "name": name,
        "image": image,
        "command": ["python3", "-c", code],
        "env": [{"name": key, "value": value} for key, value in env.items()],
        "ports": [{"containerPort": 8080}],
        "resources": MODEST,
    }
