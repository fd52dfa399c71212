"""A good object of every kind, and changes to it by path."""

from __future__ import annotations

import copy
from typing import Any

__all__ = ["REMOVED", "SPECS", "of_kind"]

Object = dict[str, Any]

V1ALPHA1 = "serving.kserve.io/v1alpha1"

SPECS: dict[str, Object] = {
    "InferenceService": {"predictor": {"model": {"modelFormat": {"name": "sklearn"}}}},
    "InferenceGraph": {
        "nodes": {
            "root": {"routerType": "Sequence", "steps": [{"serviceName": "a"}, {"nodeName": "n"}]},
            "n": {
                "routerType": "Splitter",
                "steps": [
                    {"serviceUrl": "http://b.example/v1", "weight": 30},
                    {"serviceName": "c", "weight": 70},
                ],
            },
        }
    },
    "TrainedModel": {
        "inferenceService": "a",
        "model": {"storageUri": "s3://b/m", "framework": "sklearn", "memory": "1Gi"},
    },
    "ClusterStorageContainer": {
        "container": {"name": "storage-initializer", "image": "i"},
        "supportedUriFormats": [{"prefix": "s3://"}, {"regex": "https://.*"}],
    },
    "LocalModelCache": {
        "sourceModelUri": "hf://o/m",
        "modelSize": "2Gi",
        "nodeGroups": ["gpus"],
    },
    "LocalModelNodeGroup": {
        "storageLimit": "10Gi",
        "persistentVolumeSpec": {"local": {"path": "/models"}},
        "persistentVolumeClaimSpec": {"accessModes": ["ReadWriteOnce"]},
    },
}
SPECS["LocalModelNamespaceCache"] = SPECS["LocalModelCache"]
SPECS["LocalModelNode"] = {"localModels": [{"modelName": "m", "sourceModelUri": "hf://o/m"}]}
SPECS["ServingRuntime"] = SPECS["ClusterServingRuntime"] = {
    "supportedModelFormats": [{"name": "sklearn", "autoSelect": True, "priority": 1}],
    "containers": [{"name": "kserve-container", "image": "i"}],
}

REMOVED = object()


def of_kind(kind: str, *changes: tuple[str, Any]) -> Object:
    """Return a good object with these fields set, or taken away, by their path in the spec."""
    spec = copy.deepcopy(SPECS[kind])
    for path, value in changes:
        *outer, last = [int(p) if p.isdigit() else p for p in path.split(".")]
        place: Any = spec
        for part in outer:
            place = place[part]
        if value is REMOVED:
            del place[last]
        else:
            place[last] = value
    version = "serving.kserve.io/v1beta1" if kind == "InferenceService" else V1ALPHA1
    return {"apiVersion": version, "kind": kind, "metadata": {"name": "a"}, "spec": spec}
