"""What the server offers: versions, groups, resources (both discovery forms) and OpenAPI."""

from __future__ import annotations

import platform

import orjson

from rouse.embedded.apiserver.errors import Object, no_such_resource
from rouse.embedded.apiserver.http import Request, Response, json_response
from rouse.embedded.apiserver.openapi_documents import OpenApiDocuments
from rouse.embedded.apiserver.registry import Registry
from rouse.embedded.apiserver.resources import Resource

__all__ = ["VERSION", "Discovery"]

VERSION = "v1.34.0"
"""The Kubernetes version whose API is followed: kubectl checks its own skew against it."""

_SUBRESOURCE_VERBS = {
    "status": ["get", "patch", "update"],
    "scale": ["get", "patch", "update"],
    "log": ["get"],
}
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}
_GROUP_ORDER = ("apps", "events.k8s.io", "batch", "autoscaling", "policy")


class Discovery:
    """Answers by path; built once per change of the registry."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._documents = OpenApiDocuments(registry)
        self._built: dict[str, Response] = {}
        self._generation = -1

    def answer(self, segments: list[str], request: Request) -> Response | None:
        """The document at a path outside the resources, None when there is none."""
        if segments[0] == "openapi":
            return self._documents.answer(segments, request)
        if self._generation != self._registry.generation:
            self._built.clear()
            self._generation = self._registry.generation
        form = _aggregated(request.headers.get("accept", ""))
        key = f"{form} {request.path}"
        if key not in self._built:
            built = self._build(segments, form)
            if built is None:
                return None
            self._built[key] = built
        return self._built[key]

    def _build(self, segments: list[str], form: str) -> Response | None:
        if segments == ["version"]:
            return json_response(_version())
        if segments == [""]:
            return json_response({"paths": self._paths()})
        if segments == ["api"]:
            if form:
                return self._aggregated(form, core=True)
            return json_response(
                {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}
            )
        if segments[0] == "api" and len(segments) == 2:
            return self._resource_list("", segments[1])
        if segments == ["apis"]:
            return self._aggregated(form, core=False) if form else self._groups()
        if segments[0] == "apis" and len(segments) == 2:
            return self._group(segments[1])
        if segments[0] == "apis" and len(segments) == 3:
            return self._resource_list(segments[1], segments[2])
        return None

    def _paths(self) -> list[str]:
        paths = ["/api", "/api/v1", "/apis"]
        for group, versions in self._registry.versions().items():
            if group:
                paths.append(f"/apis/{group}")
                paths.extend(f"/apis/{group}/{version}" for version in versions)
        return [
            *sorted(paths),
            "/healthz",
            "/livez",
            "/openapi/v2",
            "/openapi/v3",
            "/readyz",
            "/version",
        ]

    def _group_names(self) -> list[str]:
        """Groups in order of preference: kubectl takes the first that has a short name."""
        groups = [group for group in self._registry.versions() if group]
        first = [group for group in _GROUP_ORDER if group in groups]
        return first + [group for group in groups if group not in first]

    def _group_object(self, group: str) -> Object | None:
        versions = self._registry.versions().get(group)
        if not versions or not group:
            return None
        entries = [
            {"groupVersion": f"{group}/{version}", "version": version} for version in versions
        ]
        return {"name": group, "versions": entries, "preferredVersion": entries[0]}

    def _groups(self) -> Response:
        groups = [self._group_object(group) for group in self._group_names()]
        return json_response({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})

    def _group(self, group: str) -> Response:
        found = self._group_object(group)
        if found is None:
            raise no_such_resource()
        return json_response({"kind": "APIGroup", "apiVersion": "v1", **found})

    def _resource_list(self, group: str, version: str) -> Response:
        resources = self._registry.versions().get(group, {}).get(version)
        if resources is None:
            raise no_such_resource()
        listed = [entry for resource in resources for entry in _entries(resource)]
        return json_response(
            {
                "kind": "APIResourceList",
                "apiVersion": "v1",
                "groupVersion": f"{group}/{version}" if group else version,
                "resources": listed,
            }
        )

    def _aggregated(self, form: str, *, core: bool) -> Response:
        tree = self._registry.versions()
        items = [
            {
                "metadata": {"name": group, "creationTimestamp": None},
                "versions": [
                    {
                        "version": version,
                        "resources": [_described(resource, version) for resource in resources],
                        "freshness": "Current",
                    }
                    for version, resources in tree[group].items()
                ],
            }
            for group in ([""] if core else self._group_names())
        ]
        body = {
            "kind": "APIGroupDiscoveryList",
            "apiVersion": f"apidiscovery.k8s.io/{form}",
            "metadata": {},
            "items": items,
        }
        media = f"application/json;g=apidiscovery.k8s.io;v={form};as=APIGroupDiscoveryList"
        return Response(200, orjson.dumps(body), media, [("vary", "Accept")])


def _version() -> Object:
    machine = platform.machine()
    major, minor, _ = VERSION.removeprefix("v").split(".")
    return {
        "major": major,
        "minor": minor,
        "gitVersion": f"{VERSION}+rouse",
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "none",
        "compiler": platform.python_implementation(),
        "platform": f"{platform.system().lower()}/{_MACHINES.get(machine, machine)}",
    }


def _aggregated(accept: str) -> str:
    """The version of aggregated discovery the client prefers, empty for the old form."""
    for part in accept.split(","):
        if "as=APIGroupDiscoveryList" not in part or "application/json" not in part:
            continue
        for version in ("v2", "v2beta1"):
            if f"v={version}" in [piece.strip() for piece in part.split(";")]:
                return version
    return ""


def _subresource_kind(resource: Resource, name: str, version: str) -> tuple[str, str, str]:
    if name == "scale":
        return "autoscaling", "v1", "Scale"
    return resource.group, version, resource.kind


def _entries(resource: Resource) -> list[Object]:
    entry: Object = {
        "name": resource.plural,
        "singularName": resource.singular_name,
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": list(resource.verbs),
    }
    if resource.short_names:
        entry["shortNames"] = list(resource.short_names)
    if resource.categories:
        entry["categories"] = list(resource.categories)
    entries = [entry]
    for name in resource.served_subresources():
        group, version, kind = _subresource_kind(resource, name, "")
        sub: Object = {
            "name": f"{resource.plural}/{name}",
            "singularName": "",
            "namespaced": resource.namespaced,
            "kind": kind,
            "verbs": _SUBRESOURCE_VERBS[name],
        }
        if name == "scale":
            sub.update(group=group, version=version)
        entries.append(sub)
    return entries


def _described(resource: Resource, version: str) -> Object:
    entry: Object = {
        "resource": resource.plural,
        "responseKind": {"group": resource.group, "version": version, "kind": resource.kind},
        "scope": "Namespaced" if resource.namespaced else "Cluster",
        "singularResource": resource.singular_name,
        "verbs": list(resource.verbs),
    }
    if resource.short_names:
        entry["shortNames"] = list(resource.short_names)
    if resource.categories:
        entry["categories"] = list(resource.categories)
    parts = []
    for name in resource.served_subresources():
        group, kind_version, kind = _subresource_kind(resource, name, version)
        parts.append(
            {
                "subresource": name,
                "responseKind": {"group": group, "version": kind_version, "kind": kind},
                "verbs": _SUBRESOURCE_VERBS[name],
            }
        )
    if parts:
        entry["subresources"] = parts
    return entry
