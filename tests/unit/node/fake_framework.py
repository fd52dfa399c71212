"""A framework's server for tests of the node: a command, or with --warm a parent that forks it.

Arguments of the server: --port=N binds; otherwise the socket of ROUSE_LISTEN_FD is used.
--behave=WORD: exit (at once, code 3), stubborn (ignores SIGTERM), silent (never reports), huge (a
huge log line first), sick (answers 500), fail (reports a failure and exits 1), late (binds after
0.2 s).

Flags of the parent: --die (exits before it is ready), --deaf (is ready, but answers no request),
--garbage (sends datagrams that are no messages first).
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import socket
import sys
import time
import traceback
from typing import Any


def report(**message: object) -> None:
    path = os.environ.get("ROUSE_NOTIFY_SOCKET")
    if path:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
            channel.sendto(json.dumps({**message, "pid": os.getpid()}).encode(), path)


def serve(args: list[str]) -> int:
    given = dict(arg[2:].partition("=")[::2] for arg in args if arg.startswith("--"))
    behave = given.get("behave", "")
    print(f"serving {given.get('model_name', '?')} HELLO={os.environ.get('HELLO', '')}", flush=True)
    if behave == "exit":
        print("last words", file=sys.stderr, flush=True)
        return 3
    if behave == "fail":
        report(type="failed", error="the model is broken")
        return 1
    signal.signal(
        signal.SIGTERM, signal.SIG_IGN if behave == "stubborn" else lambda *_: os._exit(0)
    )
    if behave == "huge":
        print("x" * 200_000, flush=True)
    if behave == "late":
        time.sleep(0.2)
    inherited = os.environ.get("ROUSE_LISTEN_FD")
    if inherited:
        listener = socket.socket(fileno=int(inherited))
        listener.setblocking(True)
    else:
        listener = socket.create_server(("127.0.0.1", int(given["port"])))
    report(type="phase", name="load", seconds=0.001)
    if behave != "silent":
        report(type="ready")
    status = b"500 Sick" if behave == "sick" else b"200 OK"
    while True:
        connection, _ = listener.accept()
        with connection:
            request = connection.recv(4096)
            if b"/die" in request:
                os._exit(7)
            body = f"{os.getpid()} {given.get('model_name', '?')}".encode()
            connection.sendall(
                b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body)
            )


def parent(flags: list[str]) -> None:
    channel = socket.socket(fileno=int(os.environ["ROUSE_WARM_FD"]))
    read_end, write_end = os.pipe2(os.O_NONBLOCK)
    signal.set_wakeup_fd(write_end)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    children: dict[int, str] = {}

    def send(**message: object) -> None:
        channel.send(json.dumps(message).encode())

    print("warm", flush=True)
    if "--die" in flags:
        sys.exit("no such framework")
    if "--garbage" in flags:
        for datagram in (
            b"\xff",
            b"[]",
            b"{}",
            b'{"type": "exited"}',
            b'{"type": "spawned", "id": 1}',
        ):
            channel.send(datagram)
    send(type="ready", framework="fake", pid=os.getpid(), import_s=0.0)
    while True:
        ready, _, _ = select.select([channel.fileno(), read_end], [], [])
        if read_end in ready:
            os.read(read_end, 100)
            for pid in list(children):
                done, status = os.waitpid(pid, os.WNOHANG)
                if done:
                    code = os.waitstatus_to_exitcode(status)
                    send(type="exited", id=children.pop(pid), pid=pid, status=code)
        if channel.fileno() in ready:
            data, fds, _, _ = socket.recv_fds(channel, 65536, 8)
            if not data:
                break
            if "--deaf" in flags:
                continue
            request = json.loads(data)
            pid = os.fork()
            if pid == 0:
                child(request, fds)
            for fd in fds:
                os.close(fd)
            children[pid] = request["id"]
            send(type="spawned", id=request["id"], pid=pid)
    for pid in children:
        os.kill(pid, signal.SIGKILL)


def child(request: dict[str, Any], fds: list[int]) -> None:
    code = 1
    try:
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)
        os.setpgid(0, 0)
        signal.set_wakeup_fd(-1)
        os.dup2(fds[0], 1)
        os.dup2(fds[1], 2)
        os.chdir(request["cwd"])
        os.environ.clear()
        os.environ.update(request["env"])
        os.environ["ROUSE_LISTEN_FD"] = str(fds[2])
        code = serve(request["args"])
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


if __name__ == "__main__":
    if "--warm" in sys.argv:
        parent(sys.argv)
    else:
        sys.exit(serve(sys.argv[1:]))
