"""Whether an installation is well: what is found wrong, each with the command that mends it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from rouse.compiler.config import CONFIG_NAMESPACE, Config
from rouse.installer.access import Fetch, access_findings, fetch
from rouse.installer.certificates import certificate_findings
from rouse.installer.cluster import Cluster
from rouse.installer.findings import Finding
from rouse.installer.install import read_inventory
from rouse.installer.inventory import INVENTORY, Inventory
from rouse.installer.policy import Policy, policy_of
from rouse.installer.pools import balloon_findings, pool_findings
from rouse.installer.preflight import other_controller
from rouse.installer.remedies import INSTALL_COMMANDS, merge_command
from rouse.installer.selection import Selection, overlay_names, select
from rouse.installer.waiting import problem_of, reasons_of
from rouse.kube.apply import differs
from rouse.kube.objects import Object, selector_of

__all__ = ["examine_installation", "is_installed"]

_TELEMETRY: Final = "telemetry.istio.io/v1"
_LEASE_LATE: Final = timedelta(seconds=60)
_ON: Final = ("enabled", "allowed")


async def is_installed(cluster: Cluster) -> bool:
    """Say whether the installer has been at this cluster."""
    return bool((await read_inventory(cluster)).entries)


async def examine_installation(
    cluster: Cluster, config: Config, *, version: str, now: datetime, fetch: Fetch = fetch
) -> AsyncIterator[Finding]:
    """Yield what is found at the installation in this cluster. Raises ApiError.

    ``config`` is the live one, ``version`` that of this program, ``now`` the time in UTC;
    ``fetch`` asks for the key sets of issuers.
    """
    inventory = await read_inventory(cluster)
    if not inventory.entries:
        detail = f"no ConfigMap {CONFIG_NAMESPACE}/{INVENTORY}"
        yield Finding("Installation", "missing", detail, "rouse install")
        return
    again = inventory.command
    yield _version(inventory, version, again)
    wanted = _wanted(inventory)
    async for finding in _definitions(cluster, wanted, again):
        yield finding
    for name in ("rouse-controller", "rouse-webhook"):
        yield await _deployment(cluster, name, again)
    yield await _lease(cluster, now)
    async for finding in certificate_findings(cluster, now):
        yield finding
    async for finding in _features(cluster, wanted):
        yield finding
    async for finding in pool_findings(cluster, config):
        yield finding
    async for finding in balloon_findings(cluster, config):
        yield finding
    async for finding in access_findings(cluster, config, now, fetch, again=again):
        yield finding
    yield await _telemetry(cluster, inventory)
    async for finding in other_controller(cluster):
        yield finding


async def _telemetry(cluster: Cluster, inventory: Inventory) -> Finding:
    """Say whether spans of the gateway can be switched on, and whether they are."""
    what = "Tracing of the gateway"
    wanted = any(entry.kind == "Telemetry" for entry in inventory.entries)
    if await cluster.find(_TELEMETRY, "Telemetry") is None:
        fix = INSTALL_COMMANDS["telemetry.istio.io"]
        if wanted:
            return Finding(what, "missing", f"Istio's Telemetry ({_TELEMETRY})", fix)
        detail = f"optional: traces and metrics of the gateway need Istio's Telemetry; {fix}"
        return Finding(what, "note", detail)
    if wanted:
        return Finding(what, "ok")
    return Finding(what, "note", "optional: rouse install --component tracing")


def _version(inventory: Inventory, version: str, again: str) -> Finding:
    what = f"Installation ({inventory.overlay})"
    if inventory.version == version:
        return Finding(what, "ok", version)
    detail = f"version {inventory.version} is installed, this is {version}: {again}"
    return Finding(what, "note", detail)


def _wanted(inventory: Inventory) -> list[Object]:
    """Return what this version would install; of somebody's own overlay nothing is known."""
    known = inventory.overlay in overlay_names()
    return select(Selection(inventory.overlay if known else "minimal"))


async def _definitions(
    cluster: Cluster, wanted: list[Object], again: str
) -> AsyncIterator[Finding]:
    for obj in wanted:
        if obj["kind"] != "CustomResourceDefinition":
            continue
        name = obj["metadata"]["name"]
        live = await cluster.live(obj)
        if live is None:
            yield Finding(f"CRD {name}", "missing", "", again)
        elif problem_of(live):
            yield Finding(f"CRD {name}", "not ready", problem_of(live), f"kubectl get crd {name}")
        elif differs({"spec": obj["spec"]}, live):
            detail = "it is not the definition of this version"
            yield Finding(f"CRD {name}", "invalid", detail, again)
        elif stale := _stored_elsewhere(obj, live):
            yield Finding(f"CRD {name}", "note", f"objects may be stored as {stale}")
        else:
            yield Finding(f"CRD {name}", "ok")


def _stored_elsewhere(obj: Object, live: Mapping[str, Any]) -> str:
    served = {version["name"] for version in obj["spec"]["versions"]}
    stored = (live.get("status") or {}).get("storedVersions") or ()
    return ", ".join(sorted(set(stored) - served))


async def _deployment(cluster: Cluster, name: str, again: str) -> Finding:
    what = f"Deployment {name}"
    live = await cluster.get("apps/v1", "Deployment", name, CONFIG_NAMESPACE)
    if live is None:
        return Finding(what, "missing", "", again)
    problem = problem_of(live)
    if not problem:
        return Finding(what, "ok", f"{live['spec'].get('replicas', 1)} available")
    labels = selector_of(live["spec"]["selector"].get("matchLabels") or {})
    pods = await cluster.pods(CONFIG_NAMESPACE, labels)
    said = sorted({reason for pod in pods for reason in reasons_of(pod)})
    fix = f"kubectl describe pods -n {CONFIG_NAMESPACE} -l {labels}"
    return Finding(what, "not ready", "; ".join([problem, *said]), fix)


async def _lease(cluster: Cluster, now: datetime) -> Finding:
    what, name = "Leader", "rouse-controller"
    live = await cluster.get("coordination.k8s.io/v1", "Lease", name, CONFIG_NAMESPACE)
    spec = (live or {}).get("spec") or {}
    fix = f"kubectl logs -n {CONFIG_NAMESPACE} -l app.kubernetes.io/name={name}"
    if not spec.get("holderIdentity"):
        return Finding(what, "not ready", "no controller leads", fix)
    renewed = datetime.fromisoformat(str(spec["renewTime"])).astimezone(UTC)
    if now - renewed > _LEASE_LATE:
        detail = f"{spec['holderIdentity']} last said so at {renewed:%Y-%m-%d %H:%M:%S} UTC"
        return Finding(what, "not ready", detail, fix)
    return Finding(what, "ok", spec["holderIdentity"])


async def _features(cluster: Cluster, wanted: list[Object]) -> AsyncIterator[Finding]:
    """Yield Knative's features that Rouse switches on and somebody has not let it."""
    for obj in wanted:
        metadata = obj["metadata"]
        if policy_of(obj) is not Policy.MERGE or metadata["name"] != "config-features":
            continue
        live = await cluster.live(obj)
        data = (live or {}).get("data") or {}
        for key in obj["data"]:
            if str(data.get(key, "")).lower() in _ON:
                yield Finding(key, "ok")
            else:
                fix = merge_command(metadata["namespace"], metadata["name"], {key: "enabled"})
                yield Finding(key, "disabled", "InferenceServices that need it fail", fix)
