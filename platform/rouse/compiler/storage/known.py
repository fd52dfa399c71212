"""Whether somebody can bring a component's model: the installation's storage containers tell."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rouse.api.base import Object
from rouse.api.inferenceservice import default, parse
from rouse.api.inferenceservice.component import ComponentSpec
from rouse.api.inferenceservice.lifecycle import Reason
from rouse.api.inferenceservice.storage import SCHEMES
from rouse.api.inferenceservice.types import ExplainerSpec, InferenceService, PredictorSpec
from rouse.compiler.errors import CompileError
from rouse.compiler.storage.containers import known_formats, matching_container
from rouse.compiler.storage.names import SCHEME_PLACEHOLDER, STORAGE_URI
from rouse.compiler.storage.spec import Location, storage_of
from rouse.compiler.storage.volumes import is_mounted
from rouse.errors import FieldError

__all__ = ["check_storage", "find_unknown_schemes"]

_KNOWN = (*SCHEMES, SCHEME_PLACEHOLDER)


def check_storage(isvc: InferenceService, containers: Sequence[Object]) -> None:
    """Raise CompileError where a location has a scheme that nobody fetches.

    Nor where storageContainerName names none of ``containers``, the ClusterStorageContainers, that
    can be used for what the component asks. ``isvc`` is a defaulted service.
    """
    for part, component, locations in _components(isvc):
        fetched = [each.uri for each in locations if not is_mounted(each)]
        name = component.storage_container_name or ""
        if name:
            _check_named(name, fetched, containers, f"spec.{part}.storageContainerName")
            continue
        for finding in _unknown(part, component, locations, containers):
            raise CompileError(Reason.INVALID_SPEC, str(finding))


def find_unknown_schemes(
    obj: Object, old: Object | None, containers: Sequence[Object]
) -> list[FieldError]:
    """Find the locations of a valid InferenceService whose scheme nobody fetches.

    ``old`` is what is stored on an update, None on a create; what an update leaves as it was is not
    looked at, so that a container that is gone holds up no other change.
    """
    if old is not None and obj.get("spec") == old.get("spec"):
        return []
    findings: list[FieldError] = []
    for part, component, locations in _components(default(parse(obj))):
        if not component.storage_container_name:
            findings += _unknown(part, component, locations, containers)
    return findings


def _unknown(
    part: str, component: ComponentSpec, locations: Sequence[Location], containers: Sequence[Object]
) -> Iterator[FieldError]:
    for location in locations:
        if location.scheme in _KNOWN:
            continue
        if matching_container([location.uri], containers) is None:
            path = f"spec.{part}.{_field(component, location.uri)}"
            yield FieldError(path, _advice(location, containers))


def _components(isvc: InferenceService) -> Iterator[tuple[str, ComponentSpec, list[Location]]]:
    spec = isvc.spec
    storage = storage_of(spec.predictor.model, spec.predictor)
    yield "predictor", spec.predictor, list(storage.locations if storage else ())
    for index, canary in enumerate(spec.canary or ()):
        storage = storage_of(canary.predictor.model, canary.predictor)
        locations = list(storage.locations if storage else ())
        yield f"canary[{index}].predictor", canary.predictor, locations
    if spec.transformer is not None:
        storage = storage_of(None, spec.transformer)
        yield "transformer", spec.transformer, list(storage.locations if storage else ())
    if spec.explainer is not None:
        art = spec.explainer.art
        storage = storage_of(None, spec.explainer) if art is None else None
        own = [Location(art.storage_uri)] if art is not None and art.storage_uri else []
        yield "explainer", spec.explainer, [*(storage.locations if storage else ()), *own]


def _field(component: ComponentSpec, uri: str) -> str:
    """Where a component says that location."""
    several = [each.uri for each in component.storage_uris or ()]
    if uri in several:
        return f"storageUris[{several.index(uri)}].uri"
    if isinstance(component, PredictorSpec) and component.model is not None:
        return "model.storageUri"
    if isinstance(component, ExplainerSpec) and component.art is not None:
        return "art.storageUri"
    return f"containers: {STORAGE_URI}"


def _check_named(name: str, uris: list[str], containers: Sequence[Object], path: str) -> None:
    # What only the Secret storage-config tells is checked when a pod is made.
    told = [uri for uri in uris if not uri.startswith(SCHEME_PLACEHOLDER)]
    try:
        matching_container(told, containers, name)
    except CompileError as error:
        raise CompileError(error.reason, f"{path}: {error.message}") from error


def _advice(location: Location, containers: Sequence[Object]) -> str:
    known = [f"{scheme}://" for scheme in SCHEMES]
    further = [each for each in known_formats(containers) if each not in known]
    return (
        f'"{location.uri}": nobody fetches {location.scheme}://; Rouse knows '
        f"{', '.join(known)}, ClusterStorageContainers here {', '.join(further) or 'none more'}. "
        "Use one of these, or add a ClusterStorageContainer that supports it"
    )
