"""Models that are mounted where they are: claims and images."""

from __future__ import annotations

import re
from collections.abc import Iterable

from rouse.api.base import Object
from rouse.api.inferenceservice.lifecycle import Reason
from rouse.api.inferenceservice.storage import parse_claim
from rouse.compiler.config import Config
from rouse.compiler.errors import CompileError
from rouse.compiler.merge import merge_pod
from rouse.compiler.names import shorten
from rouse.compiler.storage.names import MODEL_PATH
from rouse.compiler.storage.spec import Location

__all__ = ["is_mounted", "mount", "volume_suffix", "with_volume"]

_CLAIM_VOLUME = "kserve-pvc-source"
_IMAGE_VOLUME = "rouse-model-image"
_MAX_SUFFIX = 63 - len("kserve-provision-location-")
_IMAGE_SCHEMES = ("oci", "oci+native")


def is_mounted(location: Location) -> bool:
    """Whether the model is a volume; every other location is fetched."""
    return location.scheme in ("pvc", *_IMAGE_SCHEMES)


def mount(
    pod: Object, containers: Iterable[str], location: Location, config: Config, *, read_only: bool
) -> Object:
    """Return the pod with the claim or image of ``location`` mounted in ``containers``.

    Raises CompileError for oci:// where the installation does not allow image volumes.
    """
    suffix = volume_suffix(location.path)
    claim = parse_claim(location.uri)
    if claim is not None:
        source: Object = {"claimName": claim.claim, "readOnly": read_only}
        volume = {"name": _CLAIM_VOLUME + suffix, "persistentVolumeClaim": source}
        return with_volume(
            pod, containers, volume, location.path, sub_path=claim.path, read_only=read_only
        )
    volume = {"name": _IMAGE_VOLUME + suffix, "image": {"reference": _image(location, config)}}
    return with_volume(pod, containers, volume, location.path, read_only=True)


def with_volume(
    pod: Object,
    containers: Iterable[str],
    volume: Object,
    path: str,
    *,
    sub_path: str = "",
    read_only: bool,
) -> Object:
    """Return the pod with a volume mounted at ``path``; a container it lacks is left out."""
    entry: Object = {"name": volume["name"], "mountPath": path, "readOnly": read_only}
    if sub_path:
        entry["subPath"] = sub_path
    present = {container["name"] for container in pod.get("containers") or ()}
    mounted = [{"name": n, "volumeMounts": [entry]} for n in containers if n in present]
    return merge_pod(pod, {"containers": mounted, "volumes": [volume]})


def volume_suffix(path: str) -> str:
    """Tell volumes of several locations apart; the usual one keeps KServe's name."""
    if path == MODEL_PATH:
        return ""
    return "-" + shorten(re.sub(r"[^a-z0-9]+", "-", path.lower()).strip("-"), _MAX_SUFFIX)


def _image(location: Location, config: Config) -> str:
    if location.scheme == "oci" and not config.storage_initializer.enable_oci_volumes:
        image = location.uri.partition("://")[2]
        raise CompileError(
            Reason.INVALID_SPEC,
            f'"{location.uri}" needs image volumes (Kubernetes 1.33 and later, or the feature gate '
            "ImageVolume): where the cluster has them, set enableOciVolumes: true under "
            f"storageInitializer in rouse-config, or write oci+native://{image}",
        )
    return location.uri.partition("://")[2]
