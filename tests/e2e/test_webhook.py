"""`rouse webhook` as processes beside an API server: certificates, calls, probes, the end."""

from __future__ import annotations

import asyncio
import base64
import os
import signal
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
import yaml

from rouse.embedded.ports import free_port
from rouse.errors import NotFoundError
from rouse.kube import KubeClient, connect, load_kubeconfig
from rouse.kube.objects import Key, Object
from rouse.kube.requests import ApiRequest
from rouse.kube.resources import SECRETS
from rouse.webhook.certificates.configurations import MUTATING, VALIDATING
from rouse.webhook.certificates.rotation import renewed
from tests.unit.webhook.cluster import isvc, manifest, pod, review

HOST = "rouse-webhook.rouse-system.svc"
SECRET = Key("rouse-system", "rouse-webhook-certs")
SOURCE = "internal.serving.kserve.io/storage-initializer-sourceuri"


@contextmanager
def process(
    *arguments: str, patience_s: float = 60
) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A Python process that says when it is ready; it and what it said."""
    reading, writing = os.pipe()
    command = [sys.executable, "-m", *arguments, "--ready-fd", str(writing)]
    child = subprocess.Popen(command, pass_fds=[writing])
    os.close(writing)
    try:
        with os.fdopen(reading) as pipe:
            said = pipe.readline()
        assert said.startswith("ready"), f"{command} ended with {child.wait(patience_s)}"
        yield child, said.split()[1]
    finally:
        child.terminate()
        try:
            child.wait(patience_s)
        finally:
            child.kill()


@pytest.fixture(scope="module")
def kubeconfig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    home = tmp_path_factory.mktemp("api")
    with process("rouse.embedded.apiserver", "--home", str(home), "--port", str(free_port())):
        yield home / "kubeconfig"


@pytest.fixture
async def user(kubeconfig: Path) -> AsyncIterator[KubeClient]:
    async with connect(load_kubeconfig(kubeconfig)) as client:
        for name in ("validating", "mutating"):
            obj = manifest(name)
            resource = VALIDATING if obj["kind"] == VALIDATING.kind else MUTATING
            await client.send(_applied(resource.path(name=obj["metadata"]["name"]), obj))
        yield client


def _applied(path: str, obj: Object) -> ApiRequest:
    return ApiRequest(
        "PATCH",
        path,
        params={"fieldManager": "installer", "force": "true"},
        content=yaml.safe_dump(obj).encode(),
        content_type="application/apply-patch+yaml",
    )


@dataclass
class Webhook:
    """A running webhook process."""

    child: subprocess.Popen[bytes]
    port: int
    health: int

    async def post(self, path: str, body: Object, *bundles: bytes) -> Object:
        """Call it as the API server does, trusting only these CAs."""
        trusted = ssl.create_default_context(cadata=b"".join(bundles).decode())
        async with httpx.AsyncClient(verify=trusted) as client:
            answer = await client.post(
                f"https://127.0.0.1:{self.port}{path}?timeout=10s",
                json=body,
                extensions={"sni_hostname": HOST},
            )
        assert answer.status_code == 200, answer.text
        response: Object = answer.json()["response"]
        return response

    async def get(self, path: str) -> httpx.Response:
        async with httpx.AsyncClient() as client:
            return await client.get(f"http://127.0.0.1:{self.health}{path}")


@contextmanager
def webhook(kubeconfig: Path, *options: str) -> Iterator[Webhook]:
    health = free_port()
    common = ["--host", "127.0.0.1", "--port", "0", "--drain-seconds", "0"]
    ports = ["--health-port", str(health), "--metrics-port", str(health)]
    with process(
        "rouse", "webhook", "--kubeconfig", str(kubeconfig), *common, *ports, *options
    ) as (child, port):
        yield Webhook(child, int(port), health)


async def bundle_of(user: KubeClient) -> bytes:
    """The CAs in the Secret, once the configurations carry the same."""
    async with asyncio.timeout(30):
        while True:
            secret = await user.get(SECRETS, SECRET.name, SECRET.namespace)
            found = [await user.get(each, "rouse-webhook") for each in (VALIDATING, MUTATING)]
            carried = {
                hook["clientConfig"].get("caBundle") for each in found for hook in each["webhooks"]
            }
            if carried == {secret["data"]["ca.crt"]}:
                return base64.b64decode(secret["data"]["ca.crt"])
            await asyncio.sleep(0.05)


async def is_served(hook: Webhook, user: KubeClient, *, other_than: bytes) -> bool:
    """Whether the process serves what the Secret holds, and that is something new."""
    try:
        bundle = await bundle_of(user)
        await hook.post("/validate", review(isvc()), bundle)
    except (NotFoundError, httpx.ConnectError):
        return False
    return bundle != other_than


@asynccontextmanager
async def patience(seconds: float = 30) -> AsyncIterator[None]:
    async with asyncio.timeout(seconds):
        yield


async def test_two_replicas_answer_with_the_certificate_of_the_secret(
    kubeconfig: Path, user: KubeClient
) -> None:
    with webhook(kubeconfig) as first, webhook(kubeconfig) as second:
        bundle = await bundle_of(user)
        for each in (first, second):
            good = await each.post("/validate", review(isvc()), bundle)
            assert good["allowed"] is True
            bad = await each.post("/validate", review(isvc(nonsense=1)), bundle)
            assert bad["allowed"] is False
            assert bad["status"]["details"]["causes"][0]["field"] == "spec.predictor.nonsense"
            assert (await each.post("/mutate", review(isvc()), bundle))["allowed"] is True
            asked = review(pod({SOURCE: "s3://m/x"}), resource="pods", namespace="default")
            assert (await each.post("/mutate-pods", asked, bundle))["patchType"] == "JSONPatch"
            assert (await each.get("/healthz")).text == "ok\n"
            assert (await each.get("/readyz")).text == "ok\n"
            metrics = (await each.get("/metrics")).text
            assert (
                'requests_total{webhook="validate",operation="CREATE",allowed="true"} 1' in metrics
            )
            assert "rouse_webhook_certificate_expiry_seconds 31" in metrics


async def test_another_ca_under_load_and_no_call_fails(kubeconfig: Path, user: KubeClient) -> None:
    """The Secret is deleted: the harshest way to a new CA."""
    with webhook(kubeconfig) as hook:
        before = await bundle_of(user)
        trusted = ssl.create_default_context(cadata=before.decode())
        stop = asyncio.Event()
        answered = 0

        async def keep_calling() -> None:
            nonlocal answered
            async with httpx.AsyncClient(verify=trusted) as client:
                while not stop.is_set():
                    answer = await client.post(
                        f"https://127.0.0.1:{hook.port}/validate",
                        json=review(isvc()),
                        extensions={"sni_hostname": HOST},
                    )
                    assert answer.json()["response"]["allowed"] is True
                    answered += 1

        calling = asyncio.create_task(keep_calling())
        await user.delete(SECRETS, SECRET.name, SECRET.namespace)
        async with patience():
            while not await is_served(hook, user, other_than=before):
                await asyncio.sleep(0.05)
        seen = answered
        async with patience():
            while answered < seen + 5:
                await asyncio.sleep(0.01)
        stop.set()
        await calling


async def test_files_are_served_and_followed(
    kubeconfig: Path, user: KubeClient, tmp_path: Path
) -> None:
    certificate, key = tmp_path / "tls.crt", tmp_path / "tls.key"
    made = [renewed(None, [HOST], datetime.now(UTC), is_published=True) for _ in range(2)]

    def put(index: int) -> None:
        certificate.write_bytes(made[index].serving.certificate)
        key.write_bytes(made[index].serving.key)

    put(0)
    options = ("--cert-file", str(certificate), "--key-file", str(key))
    with webhook(kubeconfig, *options) as hook:
        assert (await hook.post("/validate", review(isvc()), made[0].bundle))["allowed"]
        put(1)
        async with patience():
            while True:
                try:
                    await hook.post("/validate", review(isvc()), made[1].bundle)
                    break
                except httpx.ConnectError:
                    await asyncio.sleep(0.2)


async def test_it_ends_when_told_and_says_so(kubeconfig: Path, user: KubeClient) -> None:
    with webhook(kubeconfig, "--drain-seconds", "2") as hook:
        bundle = await bundle_of(user)
        hook.child.send_signal(signal.SIGTERM)
        async with patience():
            while (await hook.get("/readyz")).status_code == 200:
                await asyncio.sleep(0.01)
        assert (await hook.get("/readyz")).text == "stopping\n"
        assert (await hook.post("/validate", review(isvc()), bundle))["allowed"] is True
        async with patience():
            assert await asyncio.to_thread(hook.child.wait, 30) == 0


def test_options_that_make_no_sense() -> None:
    for options, why in (
        (["--cert-file", "x"], "belong together"),
        (["--cert-secret", "x"], "NAMESPACE/NAME"),
        (["--cert-file", "x", "--key-file", "y", "--cert-manager"], "give one"),
    ):
        command = [sys.executable, "-m", "rouse", "webhook", *options]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 2
        assert why in done.stderr
