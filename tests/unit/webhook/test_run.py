"""The process: where its certificate comes from, when it is ready, how it fails."""

from __future__ import annotations

import asyncio
import base64
import itertools
import os
import signal
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from rouse.daemon.endpoints import Ports
from rouse.embedded.ports import free_port
from rouse.errors import EngineError
from rouse.kube import ClusterConfig, KubeClient
from rouse.kube.objects import Object
from rouse.kube.resources import SECRETS
from rouse.webhook.certificates.given import FileCertificates, SecretCertificates
from rouse.webhook.certificates.pki import life_of
from rouse.webhook.certificates.rotation import Material, renewed
from rouse.webhook.run import Options, run, run_webhook
from rouse.webhook.tls import Pair
from tests.unit.webhook.cluster import SECRET, installed

CONFIG = ClusterConfig("https://rouse.test")
QUICK = Options(host="127.0.0.1", port=0, drain=0.0)


def never(_port: int) -> None:
    pytest.fail("it became ready")


def issued() -> Material:
    return renewed(None, ["w.s.svc"], datetime.now(UTC), is_published=True)


def tls_secret(material: Material) -> Object:
    """As cert-manager writes it: no key of the CA."""
    data = {"tls.crt": material.serving.certificate, "tls.key": material.serving.key}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": SECRET._asdict(),
        "type": "kubernetes.io/tls",
        "data": {name: base64.b64encode(value).decode() for name, value in data.items()},
    }


@pytest.fixture
async def user(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[KubeClient]:
    """A user's client; what the process connects to is the same API."""
    async with installed() as (client, another):
        monkeypatch.setattr("rouse.webhook.run.connect", lambda _config: another())
        yield client


@pytest.fixture
def served() -> asyncio.Queue[Pair]:
    return asyncio.Queue()


async def test_it_starts_and_stops_when_told(user: KubeClient) -> None:
    ready: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    running = asyncio.create_task(run(CONFIG, QUICK, ready=ready.set_result))
    async with asyncio.timeout(20):
        assert await ready > 0
        os.kill(os.getpid(), signal.SIGTERM)
        await running
    assert (await user.get(SECRETS, SECRET.name, SECRET.namespace))["data"]["ca.key"]


async def test_one_without_a_certificate_stops_when_told(user: KubeClient) -> None:
    options = Options(host="127.0.0.1", port=0, drain=0.0, cert_manager=True)
    running = asyncio.create_task(run(CONFIG, options, ready=never))
    await asyncio.sleep(0.1)
    os.kill(os.getpid(), signal.SIGTERM)
    async with asyncio.timeout(20):
        await running


async def test_a_clock_of_years_ahead_renews(user: KubeClient) -> None:
    """What one process made long ago, another one finds due."""
    for years in (0, 1, 6):
        moment = datetime.now(UTC) + timedelta(days=365 * years)
        ready: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        running = asyncio.create_task(
            run(CONFIG, QUICK, ready=ready.set_result, clock=itertools.repeat(moment).__next__)
        )
        async with asyncio.timeout(20):
            await ready
            os.kill(os.getpid(), signal.SIGTERM)
            await running
        secret = await user.get(SECRETS, SECRET.name, SECRET.namespace)
        made, _ = life_of(base64.b64decode(secret["data"]["tls.crt"]))
        assert abs(made - moment) < timedelta(minutes=1)


async def test_a_port_that_is_taken_ends_it(user: KubeClient) -> None:
    listening = await asyncio.start_server(lambda _r, w: w.close(), "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    with pytest.raises(EngineError, match=str(port)):
        await run(CONFIG, Options(host="127.0.0.1", port=port, drain=0.0), ready=never)
    listening.close()
    await listening.wait_closed()


async def test_the_secret_of_cert_manager_is_followed(
    user: KubeClient, served: asyncio.Queue[Pair], caplog: pytest.LogCaptureFixture
) -> None:
    running = asyncio.create_task(SecretCertificates(user, SECRET).run(served.put_nowait))
    first, second = issued(), issued()
    async with asyncio.timeout(20):
        made = await user.create({**tls_secret(first), "data": {}, "type": "Opaque"})
        await user.replace({**made, "data": tls_secret(first)["data"]})
        assert (await served.get()).certificate == first.serving.certificate
        live = await user.get(SECRETS, SECRET.name, SECRET.namespace)
        await user.replace({**live, "data": tls_secret(second)["data"]})
        assert (await served.get()).certificate == second.serving.certificate
    assert "has no tls.crt and tls.key yet" in caplog.text
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_files_that_come_later_are_served(
    tmp_path: Path, served: asyncio.Queue[Pair], caplog: pytest.LogCaptureFixture
) -> None:
    certificate, key = tmp_path / "tls.crt", tmp_path / "tls.key"
    files = FileCertificates(certificate, key, every_s=0.01)
    running = asyncio.create_task(files.run(served.put_nowait))
    async with asyncio.timeout(20):
        while "tls.crt" not in caplog.text:
            await asyncio.sleep(0.01)
        material = issued()
        key.write_bytes(material.serving.key)
        certificate.write_bytes(material.serving.certificate)
        assert (await served.get()).key == material.serving.key
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


def test_a_kubeconfig_that_is_not_there(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert run_webhook(tmp_path / "absent") == 1
    assert "absent: cannot be read" in caplog.text


def test_a_library_that_is_missing_is_named(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    assert run_webhook(None) == 1
    assert "pip install cryptography" in caplog.text


async def test_probes_say_the_truth(user: KubeClient, tmp_path: Path) -> None:
    """An expired certificate is no reason to restart, and one to be sent no calls."""
    certificate, key = tmp_path / "tls.crt", tmp_path / "tls.key"
    material = issued()
    certificate.write_bytes(material.serving.certificate)
    key.write_bytes(material.serving.key)
    port = free_port()
    now = [datetime.now(UTC)]
    ready: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    ports = Ports(port, port)
    options = Options(host="127.0.0.1", port=0, drain=0.0, ports=ports, files=(certificate, key))
    running = asyncio.create_task(
        run(CONFIG, options, ready=ready.set_result, clock=lambda: now[0])
    )
    async with asyncio.timeout(20), httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
        await ready
        assert (await http.get("/readyz")).status_code == 200
        metrics = (await http.get("/metrics")).text
        assert "rouse_webhook_certificate_expiry_seconds 3153" in metrics  # a year
        now[0] += timedelta(days=400)  # files are for others to renew
        assert "expired" in (await http.get("/readyz")).text
        assert (await http.get("/healthz")).status_code == 200
        os.kill(os.getpid(), signal.SIGTERM)
        await running


async def test_it_stays_ready_with_settings_that_cannot_be_used(
    user: KubeClient, caplog: pytest.LogCaptureFixture
) -> None:
    """Were it not, no pod of a model would start, whether it needs the lost setting or not."""
    slip = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "rouse-config", "namespace": "rouse-system"},
        "data": {"ingressDomain": "x"},
    }
    await user.apply(slip, force=True)
    port = free_port()
    ready: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    options = Options(host="127.0.0.1", port=0, drain=0.0, ports=Ports(port, port))
    running = asyncio.create_task(run(CONFIG, options, ready=ready.set_result))
    async with asyncio.timeout(20), httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
        await ready
        assert (await http.get("/readyz")).status_code == 200
        assert "rouse_webhook_settings_usable 0" in (await http.get("/metrics")).text
        os.kill(os.getpid(), signal.SIGTERM)
        await running
    assert "settings that cannot be used: ConfigMap rouse-config: ingressDomain" in caplog.text
