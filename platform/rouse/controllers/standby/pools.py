"""The reconcile of all standby pods together: how many are kept ready, and where."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Final

from rouse.coldstart.standby import Budget, Place, allocate, too_small
from rouse.compiler.config import CONFIG_MAP, CONFIG_NAMESPACE, Config
from rouse.compiler.names import MANAGED_BY
from rouse.controllers.standby.names import CLAIM, STANDBY_LABEL
from rouse.controllers.standby.objects import make_deployment, make_policy, pool_name
from rouse.controllers.standby.signing import Keys
from rouse.controllers.standby.sources import Sources
from rouse.errors import ApiError, NotFoundError
from rouse.kube.apply import apply_if_differs
from rouse.kube.client import KubeClient
from rouse.kube.objects import Key, Object, key_of, labels_match, labels_of, uid_of
from rouse.kube.resources import DEPLOYMENTS, PODS, RESOURCES, Resource

__all__ = ["BUDGET", "KEY", "REFUSED", "Pools"]

logger = logging.getLogger(__name__)

KEY: Final = Key(CONFIG_NAMESPACE, CONFIG_MAP)
"""The one key: the settings."""
BUDGET: Final = "StandbyBudgetTooSmall"
REFUSED: Final = "StandbyPodsRefused"
_POLICIES: Final = RESOURCES["networking.k8s.io/v1", "NetworkPolicy"]


class Pools:
    """Brings the Deployments of standby pods to what the sleepers and the budget ask for."""

    def __init__(
        self,
        client: KubeClient,
        sources: Sources,
        keys: Keys,
        config: Callable[[], Config],
        tell: Callable[[str, str], None],
    ) -> None:
        self._client = client
        self._in = sources
        self._keys = keys
        self._config = config
        self._tell = tell
        self._told: dict[str, str] = {}

    async def __call__(self, _key: Key) -> None:
        """Apply what is wanted, delete what is not; a namespace that refuses is no other's loss."""
        wanted = await self._wanted()
        failures: list[ApiError] = []
        await self._remove(wanted, failures)
        for namespace in sorted({place.namespace for place in wanted}):
            try:
                await self._keep(namespace, wanted)
            except ApiError as error:
                failures.append(error)
        self._once(REFUSED, "; ".join(sorted({str(error) for error in failures})))
        await self._forget_claims()
        if failures:
            raise failures[0]

    async def _wanted(self) -> Mapping[Place, Object]:
        """Return the Deployments by place."""
        settings = self._config().standby
        budgets = {name: Budget(each.count, each.memory_bytes) for name, each in settings.items()}
        groups = self._in.groups()
        self._once(
            BUDGET,
            "; ".join(
                f"standby.{runtime}.memory is {settings[runtime].memory}, and one pod requests "
                f"{least >> 20}Mi"
                for runtime, least in too_small(groups, budgets).items()
            ),
        )
        shares = allocate(groups, budgets)
        if not shares:
            return {}
        key = (await self._keys.get()).public
        wanted = {}
        for place, count in sorted(shares.items()):
            fit = self._in.example(place)
            if fit is not None:
                wanted[place] = make_deployment(place, fit.shape, count, key)
        return wanted

    async def _keep(self, namespace: str, wanted: Mapping[Place, Object]) -> None:
        policy = make_policy(namespace)
        # First, so that no pod is ever open to others.
        await apply_if_differs(self._client, policy, await self._live(_POLICIES, policy))
        for place, deployment in wanted.items():
            if place.namespace != namespace:
                continue
            live = self._in.pools.get(key_of(deployment))
            if await apply_if_differs(self._client, deployment, live) is not None:
                count = deployment["spec"]["replicas"]
                logger.info("wrote Deployment %s: %d standby pods", key_of(deployment), count)

    async def _remove(self, wanted: Mapping[Place, Object], failures: list[ApiError]) -> None:
        """Delete Deployments no longer wanted, and the policies of namespaces left by them."""
        left = set()
        for live in self._in.pools.list():
            key = key_of(live)
            place = Place(key.namespace, labels_of(live)[STANDBY_LABEL])
            if place in wanted or live["metadata"].get("deletionTimestamp"):
                continue
            if key.name != pool_name(place.shape):
                continue  # a service whose own labels say so
            left.add(key.namespace)
            try:
                await self._delete(DEPLOYMENTS, live)
                logger.info("deleted Deployment %s", key)
            except ApiError as error:
                failures.append(error)
        for namespace in sorted(left - {place.namespace for place in wanted}):
            policy = await self._live(_POLICIES, make_policy(namespace))
            if policy is not None and labels_match(MANAGED_BY, policy):
                await self._delete(_POLICIES, policy)

    async def _forget_claims(self) -> None:
        """Delete pods that were claimed by nobody who is still about to use them."""
        for pod in self._in.pods.list():
            claim = pod["annotations"].get(CLAIM)
            if claim is None or pod["metadata"].get("deletionTimestamp"):
                continue
            if Key(key_of(pod).namespace, claim) in self._in.taken:
                continue
            live = await self._live(PODS, pod)
            # Who was handed over meanwhile is a replica, and no longer ours.
            if live is not None and STANDBY_LABEL in labels_of(live):
                await self._delete(PODS, live)

    def _once(self, reason: str, message: str) -> None:
        """Tell what is wrong with the settings when it has changed, not at every reconcile."""
        if message != self._told.get(reason, "") and message:
            logger.warning("%s", message)
            self._tell(reason, message)
        self._told[reason] = message

    async def _live(self, resource: Resource, wanted: Object) -> Object | None:
        key = key_of(wanted)
        try:
            return await self._client.get(resource, key.name, key.namespace)
        except NotFoundError:
            return None

    async def _delete(self, resource: Resource, obj: Object) -> None:
        key = key_of(obj)
        try:
            await self._client.delete(resource, key.name, key.namespace, uid=uid_of(obj))
        except NotFoundError:
            logger.debug("%s is gone already", key)
