"""Tokens that rotate, plugins that print them, and TLS."""

from __future__ import annotations

import asyncio
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from textwrap import dedent

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from rouse.errors import ConfigError, UnavailableError
from rouse.kube.cluster import ClusterConfig, ExecPlugin
from rouse.kube.connection import connect, http_client, tls_context
from rouse.kube.credentials import ExecAuth, ExecCredential, TokenFileAuth, auth_of
from rouse.kube.resources import PODS


async def sent(auth: httpx.Auth, *answers: int) -> list[str]:
    """Send one request and return the Authorization headers that went out for it."""
    codes = iter(answers or (200,))
    headers: list[str] = []

    def handle(request: httpx.Request) -> httpx.Response:
        headers.append(request.headers.get("authorization", ""))
        return httpx.Response(next(codes))

    async with httpx.AsyncClient(transport=httpx.MockTransport(handle), auth=auth) as http:
        await http.get("https://api.test")
    return headers


def no_certificate(_certificate: str, _key: str) -> None:
    raise AssertionError("no certificate was expected")


@pytest.mark.parametrize(
    ("config", "header"),
    [
        (ClusterConfig("https://k", token="t"), "Bearer t"),
        (ClusterConfig("https://k", username="u", password="p"), "Basic dTpw"),
        (ClusterConfig("https://k"), ""),
    ],
)
async def test_static(config: ClusterConfig, header: str) -> None:
    assert await sent(auth_of(config, use_certificate=no_certificate)) == [header]


async def test_a_token_file_is_read_again_in_time_and_when_refused(tmp_path: Path) -> None:
    now = 0.0
    path = tmp_path / "token"
    auth = TokenFileAuth(path, clock=lambda: now)
    with pytest.raises(ConfigError, match="the token cannot be read"):
        await sent(auth)
    path.write_text("one\n")
    assert await sent(auth) == ["Bearer one"]
    path.write_text("two")
    assert await sent(auth) == ["Bearer one"]
    now = 61.0
    assert await sent(auth) == ["Bearer two"]
    path.write_text("three")
    assert await sent(auth, 401, 200) == ["Bearer two", "Bearer three"]
    # The same token again is not sent a second time.
    assert await sent(auth, 401) == ["Bearer three"]


def plugin_of(tmp_path: Path, body: str) -> ExecPlugin:
    script = tmp_path / "plugin.py"
    script.write_text(dedent(body))
    return ExecPlugin(command=sys.executable, args=(str(script),), env={"WHO": "me"})


def exec_auth(plugin: ExecPlugin, clock: float = 0.0) -> ExecAuth:
    return ExecAuth(plugin, cluster={}, use_certificate=no_certificate, clock=lambda: clock)


async def test_a_plugin_is_run_once_while_its_token_is_good(tmp_path: Path) -> None:
    plugin = plugin_of(
        tmp_path,
        f"""
        import json, os, pathlib
        count = pathlib.Path({str(tmp_path / "count")!r})
        number = int(count.read_text()) + 1 if count.exists() else 1
        count.write_text(str(number))
        asked = json.loads(os.environ["KUBERNETES_EXEC_INFO"])
        token = os.environ["WHO"] + str(number)
        print(json.dumps({{**asked, "status": {{
            "token": token, "expirationTimestamp": "1970-01-01T00:01:00Z"}}}}))
        """,
    )
    now = 0.0
    auth = ExecAuth(plugin, cluster={}, use_certificate=no_certificate, clock=lambda: now)
    assert await sent(auth) == ["Bearer me1"]
    assert await sent(auth) == ["Bearer me1"]
    assert await sent(auth, 401, 200) == ["Bearer me1", "Bearer me2"]
    now = 55.0
    assert await sent(auth) == ["Bearer me3"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("import sys; sys.exit('log in first')", "exited with 1: log in first"),
        ("print('hello')", "printed no ExecCredential"),
        ("print('{}')", "printed no ExecCredential"),
        (
            'print(\'{"apiVersion": "client.authentication.k8s.io/v1", "status": {}}\')',
            "neither a token nor a client certificate",
        ),
        (
            'print(\'{"apiVersion": "client.authentication.k8s.io/v1beta1", "status": {}}\')',
            "the kubeconfig asks for client.authentication.k8s.io/v1",
        ),
    ],
)
async def test_a_plugin_that_fails_says_why(tmp_path: Path, body: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        await sent(exec_auth(plugin_of(tmp_path, body)))
    assert message in str(caught.value)


async def test_a_plugin_that_is_not_installed(tmp_path: Path) -> None:
    plugin = ExecPlugin(command=str(tmp_path / "absent"), install_hint="get it at example.org")
    with pytest.raises(ConfigError, match=r"cannot run: .*; get it at example.org"):
        await sent(exec_auth(plugin))


def test_a_certificate_from_a_plugin() -> None:
    plugin = ExecPlugin(command="x")
    output = b"""{"apiVersion": "client.authentication.k8s.io/v1", "status":
        {"clientCertificateData": "C", "clientKeyData": "K"}}"""
    assert ExecCredential.parse(output, plugin) == ExecCredential("", "C", "K", float("inf"))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (ClusterConfig("https://k", ca="text"), "no usable PEM certificate"),
        (ClusterConfig("https://k", client_certificate="text"), "go together"),
        (
            ClusterConfig("https://k", client_certificate="text", client_key="text"),
            "cannot be used",
        ),
    ],
)
def test_certificates_that_cannot_be_used(config: ClusterConfig, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        tls_context(config)


@pytest.fixture(scope="module")
def pki() -> dict[str, str]:
    """A CA, and a certificate of it for 127.0.0.1 that serves as the client's too."""
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())

    def certificate(name: str, public: ec.EllipticCurvePublicKey, *, ca: bool) -> str:
        now = datetime.now(UTC)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ca")])
        address = x509.IPAddress(ip_address("127.0.0.1"))
        made = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(minutes=1))
            .not_valid_after(now + timedelta(hours=1))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([address]), critical=False)
            .sign(ca_key, hashes.SHA256())
        )
        return made.public_bytes(serialization.Encoding.PEM).decode()

    return {
        "ca": certificate("ca", ca_key.public_key(), ca=True),
        "certificate": certificate("rouse", key.public_key(), ca=False),
        "key": key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode(),
    }


@asynccontextmanager
async def tls_server(pki: dict[str, str], folder: Path) -> AsyncIterator[str]:
    """Serve `{}` to whoever presents a certificate of the CA."""
    pair = folder / "pair.pem"
    pair.write_text(pki["certificate"] + pki["key"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair)
    context.load_verify_locations(cadata=pki["ca"])
    context.verify_mode = ssl.CERT_REQUIRED

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
            await reader.read()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with server:
        yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_a_real_handshake_with_a_client_certificate(
    pki: dict[str, str], tmp_path: Path
) -> None:
    async with tls_server(pki, tmp_path) as server:
        config = ClusterConfig(
            server, ca=pki["ca"], client_certificate=pki["certificate"], client_key=pki["key"]
        )
        async with connect(config) as client:
            assert await client.get(PODS, "p", "a") == {}
        async with connect(replace(config, ca="", insecure=True)) as client:
            assert await client.raw("/readyz") == b"{}"
        async with connect(replace(config, ca="")) as client:
            with pytest.raises(UnavailableError, match="CERTIFICATE_VERIFY_FAILED"):
                await client.get(PODS, "p", "a")


async def test_the_certificate_of_a_plugin_is_used(pki: dict[str, str], tmp_path: Path) -> None:
    plugin = plugin_of(
        tmp_path,
        f"""
        import json
        print(json.dumps({{"apiVersion": "client.authentication.k8s.io/v1", "status": {{
            "clientCertificateData": {pki["certificate"]!r},
            "clientKeyData": {pki["key"]!r}}}}}))
        """,
    )
    async with (
        tls_server(pki, tmp_path) as server,
        connect(ClusterConfig(server, ca=pki["ca"], exec_plugin=plugin)) as client,
    ):
        assert await client.get(PODS, "p", "a") == {}


async def test_a_refused_connection_is_named() -> None:
    async with connect(ClusterConfig("http://127.0.0.1:1", token="t")) as client:
        with pytest.raises(UnavailableError, match="GET /api/v1/namespaces/a/pods/p: no answer"):
            await client.get(PODS, "p", "a")


async def test_a_server_name_for_tls_and_no_proxy_on_this_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:1")
    client = http_client(ClusterConfig("https://127.0.0.1:6443", tls_server_name="kubernetes"))
    request = client.build_request("GET", "/")
    for hook in client.event_hooks["request"]:
        await hook(request)
    assert request.extensions["sni_hostname"] == "kubernetes"
    assert client.trust_env is False
    assert http_client(ClusterConfig("https://k")).trust_env is True
