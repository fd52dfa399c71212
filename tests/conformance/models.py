"""What the suite deploys: two models that disagree, one that cannot be loaded, and where."""

from __future__ import annotations

import base64
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from perf.disagree import Disagreement, find_disagreement
from rouse.kube.objects import Object

__all__ = ["BROKEN", "FIRST", "SECOND", "SERVER", "Models", "make_models", "model_server"]

FIRST, SECOND, BROKEN = "iris", "iris-v2", "broken"
_FILE = "model.joblib"
_TRAINER = Path(__file__).parents[2] / "examples" / "iris" / "train.py"
SERVER = "conformance-models"
_SERVE = """
import functools, os, signal
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
serve = functools.partial(SimpleHTTPRequestHandler, directory="/models")
ThreadingHTTPServer(("", int(os.environ.get("PORT") or 8080)), serve).serve_forever()
"""


@dataclass(frozen=True)
class Models:
    """Where the models are, and a row on which the first two disagree."""

    base: str
    flower: Disagreement

    def uri(self, model: str) -> str:
        """The storageUri of a model: its folder, and its file where a folder cannot be read."""
        if self.base.startswith(("http://", "https://")):
            return f"{self.base}/{model}/{_FILE}"
        return f"{self.base}/{model}"


def make_models(folder: Path) -> Disagreement:
    """Train the models below the folder, always the same ones; a row that tells them apart."""
    train = [sys.executable, str(_TRAINER), "--out", str(folder)]
    subprocess.run(train, check=True, capture_output=True, timeout=120)
    (folder / BROKEN).mkdir()
    (folder / BROKEN / _FILE).write_bytes(b"this is not a model")
    return find_disagreement(folder)


def model_server(folder: Path, namespace: str, image: str) -> list[Object]:
    """ConfigMap, Deployment and Service that serve the models in the cluster by plain HTTP."""
    meta = {"name": SERVER, "namespace": namespace, "labels": {"app": SERVER}}
    files = {
        f"{name}.joblib": base64.b64encode((folder / name / _FILE).read_bytes()).decode()
        for name in (FIRST, SECOND, BROKEN)
    }
    items = [{"key": key, "path": f"{key.removesuffix('.joblib')}/{_FILE}"} for key in files]
    container = {
        "name": "server",
        "image": image,
        "command": ["python3", "-c", _SERVE],
        "ports": [{"containerPort": 8080}],
        "readinessProbe": {"httpGet": {"path": f"/{FIRST}/{_FILE}", "port": 8080}},
        "volumeMounts": [{"name": "models", "mountPath": "/models"}],
    }
    volume = {"name": "models", "configMap": {"name": SERVER, "items": items}}
    return [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "binaryData": files},
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": meta,
            "spec": {
                "selector": {"matchLabels": {"app": SERVER}},
                "template": {
                    "metadata": {"labels": {"app": SERVER}},
                    "spec": {"containers": [container], "volumes": [volume]},
                },
            },
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": meta,
            "spec": {"selector": {"app": SERVER}, "ports": [{"port": 80, "targetPort": 8080}]},
        },
    ]
