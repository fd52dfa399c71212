"""Where a step's InferenceService answers: its address in the cluster, and the path of its model.

As KServe's: the transformer's protocol where there is one, else the predictor's; the name of the
model is the InferenceService's unless a server is told another one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from urllib.parse import quote

from rouse.api import inferenceservice
from rouse.api.base import Object
from rouse.api.findings import load
from rouse.api.inferencegraph.lifecycle import Reason
from rouse.api.inferenceservice.component import ComponentSpec
from rouse.api.inferenceservice.types import InferenceService
from rouse.api.pods.containers import ContainerFields
from rouse.compiler.arguments import argument
from rouse.compiler.collocation import TRANSFORMER_CONTAINER
from rouse.compiler.errors import CompileError

__all__ = ["address_of", "endpoint_of"]

_MODEL_NAME = "--model_name"
_MLSERVER_MODEL_NAME = "MLSERVER_MODEL_NAME"
_PROTOCOL = "PROTOCOL"
"""The variable by which a container of one's own tells its protocol; KServe's."""

_PATHS = {"v1": "/v1/models/{name}:predict", "v2": "/v2/models/{name}/infer"}


def address_of(service: Object) -> str:
    """Return the InferenceService's URL in the cluster; empty while it has none."""
    address = (service.get("status") or {}).get("address") or {}
    return str(address.get("url") or "").rstrip("/")


def endpoint_of(service: Object) -> str:
    """Return the URL that a step calls; empty while the InferenceService has no address.

    Raises CompileError for one that cannot be asked over HTTP.
    """
    address = address_of(service)
    isvc = load(InferenceService, service)[0] if address else None
    if isvc is None:
        return ""
    isvc = inferenceservice.default(isvc)
    protocol = _protocol(isvc)
    path = _PATHS.get(protocol)
    if path is None:
        raise CompileError(
            Reason.INVALID_SPEC,
            f"spec.nodes: InferenceService {isvc.name} speaks {protocol}, and a graph calls v1 or "
            "v2 over HTTP; set its protocolVersion, or name its URL in serviceUrl",
        )
    return address + path.format(name=quote(_model_name(isvc), safe=""))


def _protocol(isvc: InferenceService) -> str:
    if isvc.spec.transformer is not None:
        return _told(_serving(isvc.spec.transformer))
    predictor = isvc.spec.predictor
    if predictor.model is not None and not _is_collocated(predictor):
        return predictor.model.protocol_version or "v1"
    return _told(_serving(predictor))


def _told(containers: Sequence[ContainerFields]) -> str:
    return next((_variable(each, _PROTOCOL) for each in containers[:1]), "") or "v1"


def _is_collocated(component: ComponentSpec) -> bool:
    return any(each.name == TRANSFORMER_CONTAINER for each in component.containers or ())


def _serving(component: ComponentSpec) -> list[ContainerFields]:
    """Return the containers; first the one that requests enter by."""
    containers = component.containers or []
    return sorted(containers, key=lambda each: each.name != TRANSFORMER_CONTAINER)


def _model_name(isvc: InferenceService) -> str:
    return next((name for name in _model_names(isvc) if name), isvc.name)


def _model_names(isvc: InferenceService) -> Iterator[str]:
    """Yield what servers are told, the one that answers first; empty where nothing is said."""
    if isvc.spec.transformer is not None:
        yield from map(_argument, _serving(isvc.spec.transformer)[:1])
    predictor = isvc.spec.predictor
    if predictor.model is not None:
        yield _variable(predictor.model, _MLSERVER_MODEL_NAME)
        yield _argument(predictor.model)
    else:
        yield from map(_argument, _serving(predictor)[:1])


def _argument(container: ContainerFields) -> str:
    return argument(container.args or (), _MODEL_NAME) or ""


def _variable(container: ContainerFields, name: str) -> str:
    return next((each.value or "" for each in container.env or () if each.name == name), "")
