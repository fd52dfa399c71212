"""``python -m perf.webhook``: seconds from a call's first byte to its answer's last, over TLS.

One process of `rouse webhook`, an API server beside it, one connection kept open as an API server
keeps it; calls one after the other, then eight at a time.
"""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from rouse.embedded.ports import free_port
from rouse.webhook.certificates.rotation import Material, renewed

CALLS = 2000
TOGETHER = 8
HOST = "rouse-webhook.rouse-system.svc"

Object = dict[str, Any]


@contextmanager
def _process(*arguments: str) -> Iterator[str]:
    """Yield what a Python process says of itself once it is ready."""
    reading, writing = os.pipe()
    command = [sys.executable, "-m", *arguments, "--ready-fd", str(writing)]
    with subprocess.Popen(command, pass_fds=[writing], stderr=subprocess.DEVNULL) as child:
        os.close(writing)
        try:
            with os.fdopen(reading) as pipe:
                yield pipe.readline().split()[1]
        finally:
            child.terminate()


def _reviews() -> dict[str, Object]:
    model = {"modelFormat": {"name": "sklearn"}, "storageUri": "s3://models/iris"}
    service = {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": "iris", "namespace": "default"},
        "spec": {"predictor": {"model": model}},
    }
    mark = "internal.serving.kserve.io/storage-initializer-sourceuri"
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"generateName": "iris-", "annotations": {mark: "s3://models/iris"}},
        "spec": {"containers": [{"name": "kserve-container", "image": "x"}]},
    }
    return {
        "/validate": _review(service, "inferenceservices"),
        "/mutate": _review(service, "inferenceservices"),
        "/mutate-pods": _review(pod, "pods"),
    }


def _review(obj: Object, resource: str) -> Object:
    group, _, version = obj["apiVersion"].rpartition("/")
    return {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
            "kind": {"group": group, "version": version, "kind": obj["kind"]},
            "resource": {"group": group, "version": version, "resource": resource},
            "operation": "CREATE",
            "namespace": "default",
            "object": obj,
        },
    }


async def _measure(port: str, path: str, review: Object, bundle: bytes, together: int) -> Object:
    trusted = ssl.create_default_context(cadata=bundle.decode())
    body = json.dumps(review).encode()
    seconds: list[float] = []
    async with httpx.AsyncClient(verify=trusted, base_url=f"https://127.0.0.1:{port}") as client:

        async def call() -> None:
            for _ in range(CALLS // together):
                began = time.perf_counter()
                answer = await client.post(path, content=body, extensions={"sni_hostname": HOST})
                seconds.append(time.perf_counter() - began)
                assert answer.json()["response"]["allowed"], answer.text

        await asyncio.gather(*(call() for _ in range(together)))
    seconds.sort()
    return {
        "p50_ms": round(1000 * seconds[len(seconds) // 2], 2),
        "p99_ms": round(1000 * seconds[len(seconds) * 99 // 100], 2),
        "max_ms": round(1000 * seconds[-1], 2),
    }


def _files(folder: Path) -> tuple[Material, tuple[str, ...]]:
    from datetime import UTC, datetime

    made = renewed(None, [HOST], datetime.now(UTC), is_published=True)
    certificate, key = folder / "tls.crt", folder / "tls.key"
    certificate.write_bytes(made.serving.certificate)
    key.write_bytes(made.serving.key)
    return made, ("--cert-file", str(certificate), "--key-file", str(key))


def main() -> None:
    """Print one JSON object: path -> calls at once -> milliseconds."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        made, files = _files(home)
        api = ("rouse.embedded.apiserver", "--home", folder, "--port", str(free_port()))
        at = ("--kubeconfig", str(home / "kubeconfig"), "--host", "127.0.0.1", "--port", "0")
        with _process(*api), _process("rouse", "webhook", *at, *files) as port:
            found: Object = {}
            for path, review in _reviews().items():
                for together in (1, TOGETHER):
                    measured = _measure(port, path, review, made.bundle, together)
                    found.setdefault(path, {})[str(together)] = asyncio.run(measured)
    print(json.dumps({"calls": CALLS, "webhook": found}, indent=2))


if __name__ == "__main__":
    main()
