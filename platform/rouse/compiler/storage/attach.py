"""The pod of a component with its model at hand, or with word for those who bring it."""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from rouse.api.base import Object, Strings
from rouse.compiler.config import Config
from rouse.compiler.merge import merge_pod
from rouse.compiler.storage.credentials import Access, access_of
from rouse.compiler.storage.entry import check_entry, entry_env, secret_of
from rouse.compiler.storage.facts import Facts
from rouse.compiler.storage.names import (
    CACHED_ANNOTATION,
    CONTAINER_ANNOTATION,
    CREDENTIALS_ANNOTATION,
    MODEL_PATH,
    READ_ONLY_ANNOTATION,
    SOURCE_ANNOTATION,
    SPEC_ANNOTATION,
    SPEC_KEY_ANNOTATION,
    SPEC_PARAMETERS_ANNOTATION,
    STORAGE_URI,
    TRANSFORMER_CONTAINER,
    URIS_ANNOTATION,
)
from rouse.compiler.storage.spec import Entry, Location, Storage, custom_uri
from rouse.compiler.storage.volumes import is_mounted, mount

__all__ = ["attach", "is_read_only", "pointed", "with_credentials"]

_CACHE = "rouse.dev/model-cache"
_NO_LOCAL_MODEL = "serving.kserve.io/disable-localmodel"
_OPEN = ("file",)
"""Schemes that no credential opens."""
_INITIALIZER_ONLY = ("oci+fetch",)


def attach(
    pod: Object,
    main: str,
    storage: Storage,
    *,
    own_predictor: bool,
    config: Config,
    annotations: Mapping[str, str] | None = None,
    facts: Facts | None = None,
) -> tuple[Object, Strings]:
    """Return the pod with its model, and the annotations that its pods need for it.

    Claims and images are mounted. Anything else is fetched: by Rouse's own predictors themselves
    (``own_predictor``: STORAGE_URI and credentials in the container ``main``), for other servers,
    for several locations, and where a ClusterStorageContainer is named, by the storage initializer
    that the pod webhook puts in.

    ``annotations`` are those of the component. With ``facts`` the credentials are resolved here;
    without, the webhook does so when a pod is made. Raises CompileError.
    """
    annotations = annotations or {}
    if storage.entry is not None:
        check_entry(storage.entry)
    read_only = is_read_only(annotations, config)
    for location in filter(is_mounted, storage.locations):
        names = (main, TRANSFORMER_CONTAINER)
        pod = mount(pod, names, location, config, read_only=read_only)
    fetched = [each for each in storage.locations if not is_mounted(each)]
    cached = _cached(fetched, config, annotations)
    if own_predictor and not storage.container and _fetches_itself(fetched):
        pod, asked = _told(pod, main, fetched[0], storage.entry, config, annotations, facts)
        return pod, {**asked, **cached}
    return pointed(pod, main), {**_for_webhook(fetched, storage), **cached} if fetched else {}


def is_read_only(annotations: Mapping[str, str], config: Config) -> bool:
    """Whether the containers may not write to their model; the annotation decides first."""
    said = annotations.get(READ_ONLY_ANNOTATION)
    return config.storage_initializer.default_pvc_read_only if said is None else said != "false"


def pointed(pod: Object, main: str) -> Object:
    """Return the pod whose server of the user's own reads from STORAGE_URI where the files are."""
    for container in pod["containers"]:
        if container["name"] == main and custom_uri(container.get("env") or ()):
            told = {"name": main, "env": [{"name": STORAGE_URI, "value": MODEL_PATH}]}
            return merge_pod(pod, {"containers": [told]})
    return pod


def with_credentials(pod: Object, container: str, access: Access) -> Object:
    """Return the pod whose container of that name has the credentials; what it had stays."""
    containers = [
        access.laid_under(each) if each["name"] == container else each for each in pod["containers"]
    ]
    pod = {**pod, "containers": containers}
    return merge_pod({"volumes": list(access.volumes)}, pod) if access.volumes else pod


def _cached(fetched: list[Location], config: Config, annotations: Mapping[str, str]) -> Strings:
    """The word for the webhook that nodes may have the model, where the installation reads it."""
    names = [each.uri for each in fetched if each.scheme not in (*_OPEN, *_INITIALIZER_ONLY)]
    off = annotations.get(_CACHE) == "off" or annotations.get(_NO_LOCAL_MODEL) == "true"
    if off or not names or not config.model_cache.host_path:
        return {}
    return {CACHED_ANNOTATION: names[0]}


def _fetches_itself(fetched: list[Location]) -> bool:
    return len(fetched) == 1 and all(
        each.path == MODEL_PATH and each.scheme not in _INITIALIZER_ONLY for each in fetched
    )


def _told(
    pod: Object,
    main: str,
    location: Location,
    entry: Entry | None,
    config: Config,
    annotations: Mapping[str, str],
    facts: Facts | None,
) -> tuple[Object, Strings]:
    env: list[Object] = [{"name": STORAGE_URI, "value": location.uri}]
    if entry is not None:
        env += entry_env(entry, secret_of(annotations, config))
    pod = merge_pod(pod, {"containers": [{"name": main, "env": env}]})
    if location.scheme in _OPEN:
        return pod, {}
    if facts is None:
        return pod, {CREDENTIALS_ANNOTATION: main, **_entry_annotations(entry)}
    if entry is not None:
        return pod, {}
    account = pod.get("serviceAccountName", "")
    return with_credentials(pod, main, access_of(account, annotations, facts, config)), {}


def _for_webhook(fetched: list[Location], storage: Storage) -> Strings:
    first = fetched[0]
    annotations: Strings = {}
    if len(fetched) == 1 and first.path == MODEL_PATH:
        annotations[SOURCE_ANNOTATION] = first.uri
    else:
        listed = [{"uri": each.uri, "mountPath": each.path} for each in fetched]
        annotations[URIS_ANNOTATION] = orjson.dumps(listed).decode()
    if storage.container:
        annotations[CONTAINER_ANNOTATION] = storage.container
    return {**annotations, **_entry_annotations(storage.entry)}


def _entry_annotations(entry: Entry | None) -> Strings:
    if entry is None:
        return {}
    given = orjson.dumps(dict(entry.parameters), option=orjson.OPT_SORT_KEYS)
    return {
        SPEC_ANNOTATION: "true",
        SPEC_KEY_ANNOTATION: entry.key,
        SPEC_PARAMETERS_ANNOTATION: given.decode(),
    }
