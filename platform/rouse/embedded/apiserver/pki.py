"""The server's identity and the administrator's: CA, server certificate, token, kubeconfig.

Written once into ``<home>/pki``. The token is the administrator's credential; the kubeconfig that
carries it can be read by its owner only.
"""

from __future__ import annotations

import base64
import secrets
import subprocess
import sys
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import orjson

from rouse.embedded.apiserver.privately import write_file
from rouse.errors import EngineError

__all__ = ["CONTEXT", "Identity", "ensure_identity", "write_kubeconfig"]

CONTEXT = "rouse"
_LIFETIME = timedelta(days=3650)
_RENEW = timedelta(days=30)
_ISSUING_S = 60.0


@dataclass(frozen=True, slots=True)
class Identity:
    """Paths of the PEM files and the bearer token."""

    ca: Path
    certificate: Path
    key: Path
    token: str


def ensure_identity(folder: Path, now: datetime) -> Identity:
    """The identity in ``folder``, made when it is not there or about to expire.

    Raises `EngineError` when it cannot be made.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    ca, certificate, key = folder / "ca.crt", folder / "server.crt", folder / "server.key"
    token, expires = folder / "token", folder / "expires"
    if not _is_fresh((ca, certificate, key, token), expires, now):
        _issue(folder, now)
        if not token.exists():
            write_file(token, secrets.token_urlsafe(32).encode(), 0o600)
        write_file(expires, (now + _LIFETIME).isoformat().encode(), 0o644)
    text = token.read_text().strip()
    if not text:
        raise EngineError(f"the token file {token} is empty; delete it to have a new one made")
    return Identity(ca, certificate, key, text)


def write_kubeconfig(path: Path, identity: Identity, server: str) -> None:
    """Write the administrator's kubeconfig, mode 0600; JSON, which every YAML reader takes."""
    authority = base64.b64encode(identity.ca.read_bytes()).decode()
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": CONTEXT,
                "cluster": {"certificate-authority-data": authority, "server": server},
            }
        ],
        "users": [{"name": CONTEXT, "user": {"token": identity.token}}],
        "contexts": [
            {
                "name": CONTEXT,
                "context": {"cluster": CONTEXT, "user": CONTEXT, "namespace": "default"},
            }
        ],
        "current-context": CONTEXT,
        "preferences": {},
    }
    body = orjson.dumps(config, option=orjson.OPT_INDENT_2) + b"\n"
    if not path.exists() or path.read_bytes() != body:
        write_file(path, body, 0o600)


def _is_fresh(needed: tuple[Path, ...], expires: Path, now: datetime) -> bool:
    if not all(path.exists() for path in needed):
        return False
    try:
        return datetime.fromisoformat(expires.read_text()) - now > _RENEW
    except (OSError, ValueError):
        return False


def _issue(folder: Path, now: datetime) -> None:
    """Make authority, certificate and key, in a process of their own (see `issuing`)."""
    module = "rouse.embedded.apiserver.issuing"
    times = (now.isoformat(), (now + _LIFETIME).isoformat())
    command = [sys.executable, "-m", module, str(folder), *times]
    try:
        subprocess.run(command, check=True, timeout=_ISSUING_S, capture_output=True, text=True)
    except subprocess.CalledProcessError as error:
        said = error.stderr.strip().rpartition("\n")[2]
        raise EngineError(f"the server's certificate cannot be made: {said}") from error
    except (subprocess.TimeoutExpired, OSError) as error:
        raise EngineError(f"the server's certificate cannot be made: {error}") from error
