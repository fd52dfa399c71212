"""From a container to what is executed: argv, environment, folder. Pure.

Values of Secrets end up in the environment, so an Invocation never shows it in its repr.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from rouse.embedded.node.errors import PodSetupError, Reason
from rouse.embedded.node.fields import field_value
from rouse.embedded.node.images import LocalCommand
from rouse.embedded.node.sources import Sources

__all__ = ["PASSED_THROUGH", "Invocation", "base_environment", "make_invocation", "with_proxy"]

PASSED_THROUGH: Final = frozenset(
    {
        *("PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "TMPDIR"),
        *("LD_LIBRARY_PATH", "PYTHONPATH", "VIRTUAL_ENV", "CUDA_VISIBLE_DEVICES"),
        *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"),
        *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"),
    }
)
"""What a replica inherits of the engine's environment: no token and the like."""

_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")
_REFERENCE = re.compile(r"\$\$|\$\(([A-Za-z_.-][A-Za-z0-9_.-]*)\)")


@dataclass(frozen=True, slots=True)
class Invocation:
    """One process to start: ``command`` is what an image's entry point would be."""

    command: tuple[str, ...]
    args: tuple[str, ...]
    env: Mapping[str, str] = field(repr=False)
    cwd: str
    warm: bool
    listen: bool
    module: str = ""
    """The package that a warm parent of another one may run instead; none when empty."""

    @property
    def argv(self) -> tuple[str, ...]:
        """Command and arguments together."""
        return self.command + self.args


def base_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The part of the engine's environment a replica may see."""
    return {name: value for name, value in environ.items() if name in PASSED_THROUGH}


def with_proxy(base: Mapping[str, str], proxy: str) -> dict[str, str]:
    """The environment in which plain HTTP goes through ``proxy``, but for this machine's own hosts.

    Inherited exceptions stay, except those for hosts inside the cluster, which only it can resolve.
    """
    inherited = base.get("no_proxy") or base.get("NO_PROXY") or ""
    kept = [one for one in inherited.replace(" ", "").split(",") if one and not _is_local(one)]
    exceptions = ",".join(dict.fromkeys([*_LOOPBACK, *kept]))
    proxies = dict.fromkeys(("http_proxy", "HTTP_PROXY"), proxy)
    return {**base, **proxies, **dict.fromkeys(("no_proxy", "NO_PROXY"), exceptions)}


def _is_local(exception: str) -> bool:
    return exception == "*" or exception.endswith((".svc", ".local", ".cluster"))


def make_invocation(
    pod: dict[str, Any],
    container: dict[str, Any],
    *,
    local: LocalCommand,
    mounts: Mapping[str, str],
    ports: Mapping[int, int],
    sources: Sources,
    base: Mapping[str, str],
    cwd: str,
) -> Invocation:
    """Resolve one container.

    ``mounts``: mount path -> host path. ``ports``: containerPort -> port of this machine, of the
    whole pod, because its containers talk to each other by them. Raises PodSetupError when a
    reference of the environment does not resolve.
    """
    declared = _environment(pod, container, sources)
    _serving_port(container, ports, declared)
    move = _PathRewriter(mounts)
    env = {**base, "HOSTNAME": pod["metadata"]["name"]}
    for name, value in declared.items():
        moved = move(value)
        env[name] = _moved_port(moved, ports) if name.endswith("PORT") else moved

    def word(text: str) -> str:
        return rewrite_port(move(expand(text, declared)), ports)

    own = () if local.overrides else container.get("command") or ()
    return Invocation(
        command=tuple(map(word, own)) or local.argv,
        args=tuple(map(word, container.get("args") or ())),
        env=env,
        cwd=move(container["workingDir"]) if container.get("workingDir") else cwd,
        warm=local.warm,
        listen=local.listen,
        module=local.module,
    )


def expand(text: str, env: Mapping[str, str]) -> str:
    """Kubernetes' ``$(NAME)``; ``$$`` is a dollar; an unknown name stays as it is written."""

    def value(match: re.Match[str]) -> str:
        name = match[1]
        return "$" if name is None else env.get(name, match[0])

    return _REFERENCE.sub(value, text)


def rewrite_port(word: str, ports: Mapping[int, int]) -> str:
    """``8080``, ``--port=8080``, ``0.0.0.0:8080``: the containerPort replaced by the real one."""
    head, separator, tail = word, "", ""
    for candidate in ("=", ":"):
        before, found, after = word.rpartition(candidate)
        if found and after.isdigit():
            head, separator, tail = before, found, after
    if not separator:
        return _moved_port(word, ports)
    return head + separator + _moved_port(tail, ports)


def _moved_port(text: str, ports: Mapping[int, int]) -> str:
    return str(ports.get(int(text), text)) if text.isdigit() and text.isascii() else text


def _serving_port(container: dict[str, Any], ports: Mapping[int, int], env: dict[str, str]) -> None:
    """Knative's runtime contract: PORT is where the container has to listen."""
    first = next((p["containerPort"] for p in container.get("ports") or []), None)
    if first in ports:
        env["PORT"] = str(first)


def _environment(
    pod: dict[str, Any], container: dict[str, Any], sources: Sources
) -> dict[str, str]:
    env: dict[str, str] = {}
    for entry in container.get("envFrom") or []:
        env |= _whole_object(entry, sources)
    for entry in container.get("env") or []:
        if "valueFrom" in entry:
            value = _referred(pod, entry["name"], entry["valueFrom"], sources)
            if value is not None:
                env[entry["name"]] = value
        else:
            env[entry["name"]] = expand(str(entry.get("value") or ""), env)
    return env


def _whole_object(entry: dict[str, Any], sources: Sources) -> dict[str, str]:
    prefix = entry.get("prefix", "")
    if "configMapRef" in entry:
        ref = entry["configMapRef"]
        contents = sources.all("ConfigMap", ref["name"], optional=bool(ref.get("optional")))
    else:
        ref = entry["secretRef"]
        contents = sources.all("Secret", ref["name"], optional=bool(ref.get("optional")))
    return {prefix + key: _text(value, key) for key, value in contents.items()}


def _referred(
    pod: dict[str, Any], name: str, origin: dict[str, Any], sources: Sources
) -> str | None:
    if "fieldRef" in origin:
        return field_value(pod, origin["fieldRef"]["fieldPath"])
    for kind, field_name in (("ConfigMap", "configMapKeyRef"), ("Secret", "secretKeyRef")):
        if field_name in origin:
            ref = origin[field_name]
            optional = bool(ref.get("optional"))
            value = sources.key(kind, ref["name"], ref["key"], optional=optional)  # type: ignore[arg-type]
            return None if value is None else _text(value, name)
    raise PodSetupError(
        Reason.CONFIG_ERROR,
        f"env {name}: valueFrom.{next(iter(origin), '?')} is not supported by the embedded node; "
        "use fieldRef, configMapKeyRef or secretKeyRef",
    )


def _text(value: bytes, name: str) -> str:
    try:
        text = value.decode()
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise PodSetupError(Reason.CONFIG_ERROR, f"env {name}: the value is not text")
    return text


class _PathRewriter:
    """Replaces mount paths by host paths, longest first, in one pass, only at path boundaries."""

    def __init__(self, mounts: Mapping[str, str]) -> None:
        self._mounts = mounts
        longest = sorted(map(re.escape, filter(None, mounts)), key=len, reverse=True)
        # a path starts at the beginning of a word, after a separator, or after a URL's "://"
        pattern = rf"(?:(?<![\w./\\-])|(?<=://))({'|'.join(longest)})(?![\w.-])"
        self._pattern = re.compile(pattern) if longest else None

    def __call__(self, text: str) -> str:
        if self._pattern is None:
            return text
        return self._pattern.sub(lambda match: self._mounts[match[1]], text)
