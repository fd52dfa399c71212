"""Admission of pods: the same change that a webhook does on a cluster."""

from __future__ import annotations

from collections.abc import Iterator

from rouse.embedded.apiserver.admission import Operation, Plugin
from rouse.embedded.apiserver.admission_config import read_config, storage_containers
from rouse.embedded.apiserver.errors import Object
from rouse.embedded.apiserver.resources import Resource
from rouse.embedded.apiserver.store import Store
from rouse.errors import ConfigError, InvalidError

__all__ = ["pod_admission"]

_PODS = "/pods"
_SECRETS = "/secrets"
_SERVICE_ACCOUNTS = "/serviceaccounts"


def pod_admission(store: Store) -> Plugin:
    """A plugin that brings models and sidecars to new pods; it looks things up in ``store``."""

    def admit_pod(
        operation: Operation, obj: Object, old: Object | None, resource: Resource
    ) -> Object:
        if operation != "CREATE" or resource.bucket != _PODS:
            return obj
        from rouse.compiler.podwebhook import concerns

        return _mutated(obj, store) if concerns(obj) else obj

    return admit_pod


def _mutated(pod: Object, store: Store) -> Object:
    from rouse.compiler.podwebhook import mutate
    from rouse.compiler.storage import Facts

    namespace = pod["metadata"]["namespace"]
    facts = Facts(
        service_accounts=dict(_named(store, _SERVICE_ACCOUNTS, namespace)),
        secrets=dict(_named(store, _SECRETS, namespace)),
        storage_containers=storage_containers(store),
    )
    try:
        return mutate(pod, config=read_config(store), facts=facts)
    except ConfigError as error:
        raise InvalidError(f"the pod cannot be completed: {error}") from error


def _named(store: Store, bucket: str, namespace: str) -> Iterator[tuple[str, Object]]:
    for record in store.records(bucket, namespace):
        yield record.key.name, record.object()
