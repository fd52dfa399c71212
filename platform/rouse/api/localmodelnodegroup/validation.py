"""The rules of a LocalModelNodeGroup that its types cannot say."""

from __future__ import annotations

from collections.abc import Iterator

from rouse.api.localmodelnodegroup.types import LocalModelNodeGroup, LocalModelNodeGroupSpec
from rouse.api.localmodelnodegroup.volumes import VOLUME_SOURCES
from rouse.api.object_names import check_name
from rouse.api.quantities import check_positive
from rouse.errors import FieldError

__all__ = ["validate"]


def validate(group: LocalModelNodeGroup) -> list[FieldError]:
    """Return every finding about a group as the user gave it."""
    return [
        *check_name(group.metadata),
        *check_positive(group.spec.storage_limit, "spec.storageLimit"),
        *_source(group.spec),
        *_classes(group.spec),
    ]


def _source(spec: LocalModelNodeGroupSpec) -> Iterator[FieldError]:
    given = [name for name in VOLUME_SOURCES if name in spec.persistent_volume_spec.to_object()]
    if len(given) != 1:
        yield FieldError(
            "spec.persistentVolumeSpec",
            f"has {len(given) or 'no'} source{'s' if given else ''}"
            f"{' (' + ', '.join(given) + ')' if given else ''}; give exactly one, such as "
            "local (path) or hostPath (path)",
        )


def _classes(spec: LocalModelNodeGroupSpec) -> Iterator[FieldError]:
    volume = spec.persistent_volume_spec.storage_class_name or ""
    claim = spec.persistent_volume_claim_spec.storage_class_name
    if claim is not None and claim != volume:
        yield FieldError(
            "spec.persistentVolumeClaimSpec.storageClassName",
            f'"{claim}" is not that of the volume, which is "{volume}"; the claim would never '
            "be bound",
        )
