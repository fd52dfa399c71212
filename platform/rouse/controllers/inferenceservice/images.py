"""What InferenceServices tell of their images, for those who care where these are."""

from __future__ import annotations

from collections.abc import Iterator

from rouse.controllers.inferenceservice.sources import Sources
from rouse.controllers.prepull.reconciler import Used
from rouse.controllers.prepull.used import server_image
from rouse.kube.objects import Key, uid_of
from rouse.kube.resources import DEPLOYMENTS

__all__ = ["image_of", "used"]


def image_of(sources: Sources, key: Key) -> str:
    """Return the image of an InferenceService's newest server; empty where there is none yet."""
    service = {"metadata": {"namespace": key.namespace, "name": key.name}}
    return server_image(sources.revisions_of(service).values())


def used(sources: Sources) -> Iterator[Used]:
    """Yield each InferenceService with what its pods are made from."""
    for service in sources.services.list():
        revisions = sources.revisions_of(service)
        deployments = sources.owned[DEPLOYMENTS].owned_by(uid_of(service))
        yield service, list(revisions.values()), list(deployments)
