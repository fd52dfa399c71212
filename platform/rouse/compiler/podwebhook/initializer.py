"""The init container that brings a model to a server that does not fetch for itself."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

import orjson

from rouse.api.base import Object
from rouse.api.inferenceservice.lifecycle import Reason
from rouse.compiler.confidential import decryption_env
from rouse.compiler.config import Config
from rouse.compiler.errors import CompileError
from rouse.compiler.merge import merge_pod
from rouse.compiler.podwebhook.containers import (
    HARDENED,
    annotations_of,
    find,
    main_container,
)
from rouse.compiler.storage.attach import is_read_only, pointed, with_credentials
from rouse.compiler.storage.containers import matching_container
from rouse.compiler.storage.credentials import access_of
from rouse.compiler.storage.entry import check_entry, entry_env, resolved, secret_of
from rouse.compiler.storage.facts import Facts
from rouse.compiler.storage.names import (
    CONTAINER_ANNOTATION,
    SOURCE_ANNOTATION,
    SPEC_ANNOTATION,
    SPEC_KEY_ANNOTATION,
    SPEC_PARAMETERS_ANNOTATION,
    TRANSFORMER_CONTAINER,
    URIS_ANNOTATION,
)
from rouse.compiler.storage.spec import Entry, Location
from rouse.compiler.storage.volumes import is_mounted, mount, volume_suffix, with_volume

__all__ = ["INITIALIZER_CONTAINER", "entry_of", "with_initializer"]

INITIALIZER_CONTAINER = "storage-initializer"

_VOLUME = "kserve-provision-location"


def with_initializer(pod: Object, config: Config, facts: Facts) -> Object:
    """Return the pod with its models mounted or fetched as its annotations ask.

    Raises CompileError when an annotation is malformed, the pod has no container that serves, or
    storage-config does not say where the model is.
    """
    locations = _locations(pod)
    spec = pod["spec"]
    if not locations or find(spec.get("initContainers"), INITIALIZER_CONTAINER):
        return pod
    main = main_container(pod)
    if main is None:
        raise _refused("the pod has no container kserve-container to bring the model to")
    read_only = is_read_only(annotations_of(pod), config)
    servers = (main["name"], TRANSFORMER_CONTAINER)
    for location in filter(is_mounted, locations):
        spec = mount(spec, servers, location, config, read_only=read_only)
    fetched = [each for each in locations if not is_mounted(each)]
    if fetched:
        spec = _fetching({**pod, "spec": spec}, fetched, servers, read_only, config, facts)
    return {**pod, "spec": pointed(spec, main["name"])}


def _fetching(
    pod: Object,
    fetched: Sequence[Location],
    servers: Sequence[str],
    read_only: bool,
    config: Config,
    facts: Facts,
) -> Object:
    annotations = annotations_of(pod)
    entry = entry_of(pod)
    env: list[Object] = []
    if entry is not None:
        check_entry(entry)
        secret = secret_of(annotations, config)
        env = entry_env(entry, secret)
        fetched = [
            Location(resolved(each.uri, entry, secret, facts), each.path) for each in fetched
        ]
    env += decryption_env(annotations)
    chosen = annotations.get(CONTAINER_ANNOTATION, "")
    container = _container(fetched, env, config, facts, chosen)
    spec: Object = pod["spec"]
    volumes = []
    for location in _own_volumes(fetched):
        volume = {"name": _VOLUME + volume_suffix(location.path), "emptyDir": {}}
        spec = with_volume(spec, servers, volume, location.path, read_only=read_only)
        volumes.append({"name": volume["name"], "mountPath": location.path})
    container = merge_pod(container, {"volumeMounts": volumes})
    if entry is None:
        access = access_of(spec.get("serviceAccountName", ""), annotations, facts, config)
        opened = with_credentials(
            {"containers": [container], "volumes": spec.get("volumes") or []},
            INITIALIZER_CONTAINER,
            access,
        )
        container = opened["containers"][0]
        spec = {**spec, "volumes": opened["volumes"]}
    return {**spec, "initContainers": [*(spec.get("initContainers") or ()), container]}


def _container(
    fetched: Sequence[Location], env: list[Object], config: Config, facts: Facts, chosen: str
) -> Object:
    """Return the init container; ``chosen`` is the ClusterStorageContainer asked for, if any."""
    settings = config.storage_initializer
    container: Object = {
        "name": INITIALIZER_CONTAINER,
        "image": settings.image,
        "args": [word for each in fetched for word in (each.uri, each.path)],
        "resources": settings.to_object(),
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }
    if env:
        container["env"] = env
    special = matching_container([each.uri for each in fetched], facts.storage_containers, chosen)
    if special is None:
        return {**container, "securityContext": {**HARDENED, "runAsNonRoot": True}}
    return merge_pod(container, special) | {"name": INITIALIZER_CONTAINER}


def _own_volumes(fetched: Sequence[Location]) -> list[Location]:
    """The locations that need a volume: those below another one lie in its volume."""
    paths = {each.path for each in fetched}
    return [
        each
        for each in fetched
        if not any(str(parent) in paths for parent in PurePosixPath(each.path).parents)
    ]


def _locations(pod: Object) -> list[Location]:
    annotations = annotations_of(pod)
    source = annotations.get(SOURCE_ANNOTATION)
    if source:
        return [Location(source)]
    text = annotations.get(URIS_ANNOTATION)
    if not text:
        return []
    try:
        return [Location(each["uri"], each["mountPath"]) for each in orjson.loads(text)]
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise _refused(
            f"the annotation {URIS_ANNOTATION} is no JSON list of {{uri, mountPath}}: {text[:200]}"
        ) from error


def entry_of(pod: Object) -> Entry | None:
    """The entry of storage-config that the pod's annotations name."""
    annotations = annotations_of(pod)
    if annotations.get(SPEC_ANNOTATION) != "true":
        return None
    text = annotations.get(SPEC_PARAMETERS_ANNOTATION) or "{}"
    try:
        parameters = orjson.loads(text) or {}
    except orjson.JSONDecodeError:
        parameters = text
    if not isinstance(parameters, dict):
        raise _refused(
            f"the annotation {SPEC_PARAMETERS_ANNOTATION} is no JSON object: {text[:200]}"
        )
    return Entry(annotations.get(SPEC_KEY_ANNOTATION, ""), parameters)


def _refused(message: str) -> CompileError:
    return CompileError(Reason.INVALID_SPEC, message)
