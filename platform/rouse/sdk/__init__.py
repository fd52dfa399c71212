"""The Python SDK: deploy, watch and call InferenceServices in a few lines.

What belongs here: what a user's program calls. What does not: Kubernetes I/O (`rouse.kube`) and
rules of the kinds (`rouse.api`).
"""

from rouse.sdk.aio import AsyncClient
from rouse.sdk.applied import Applied
from rouse.sdk.conditions import NotReadyError
from rouse.sdk.requests import Prediction
from rouse.sdk.sync import Client

__all__ = ["Applied", "AsyncClient", "Client", "NotReadyError", "Prediction"]
