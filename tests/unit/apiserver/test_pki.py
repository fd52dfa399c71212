from __future__ import annotations

import base64
import ssl
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest

from rouse.embedded.apiserver.pki import ensure_identity, write_kubeconfig
from rouse.errors import EngineError

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_an_identity_is_made_once(tmp_path: Path) -> None:
    one = ensure_identity(tmp_path / "pki", NOW)
    two = ensure_identity(tmp_path / "pki", NOW + timedelta(days=100))
    assert one == two
    assert len(one.token) >= 32
    assert stat.S_IMODE(one.key.stat().st_mode) == 0o600
    context = ssl.create_default_context(cafile=str(one.ca))
    assert context.get_ca_certs()[0]["subject"] == ((("commonName", "rouse-ca"),),)


def test_it_is_renewed_before_it_expires(tmp_path: Path) -> None:
    one = ensure_identity(tmp_path, NOW)
    before = one.certificate.read_bytes()
    two = ensure_identity(tmp_path, NOW + timedelta(days=3640))
    assert two.certificate.read_bytes() != before
    assert two.token == one.token


def test_an_empty_token_is_an_error(tmp_path: Path) -> None:
    ensure_identity(tmp_path, NOW)
    (tmp_path / "token").write_text("")
    with pytest.raises(EngineError, match="delete it"):
        ensure_identity(tmp_path, NOW)


def test_the_kubeconfig_is_the_owners(tmp_path: Path) -> None:
    identity = ensure_identity(tmp_path / "pki", NOW)
    path = tmp_path / "kubeconfig"
    write_kubeconfig(path, identity, "https://127.0.0.1:6443")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    config = orjson.loads(path.read_bytes())
    assert config["current-context"] == "rouse"
    cluster = config["clusters"][0]["cluster"]
    assert cluster["server"] == "https://127.0.0.1:6443"
    assert base64.b64decode(cluster["certificate-authority-data"]) == identity.ca.read_bytes()
    assert config["users"][0]["user"] == {"token": identity.token}
