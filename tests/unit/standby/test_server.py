"""A real predictor that stands by: truthful, obeying one key, and serving what it was told."""

from __future__ import annotations

import base64
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import joblib
import orjson
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from sklearn.linear_model import LinearRegression

from predictors.serving.standby.assignment import Assignment, MalformedError
from predictors.serving.standby.signing import PublicKey

ROOT = Path(__file__).parents[3]
TAKE = "/standby/v1/assignment"
POD = "5b1c"
KEY = rsa.generate_private_key(65537, 2048)


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


PUBLIC = f"rsa:{_base64(KEY.public_key().public_numbers().n.to_bytes(256, 'big'))}"


def signature(body: bytes, key: rsa.RSAPrivateKey = KEY) -> str:
    return _base64(key.sign(body, padding.PKCS1v15(), hashes.SHA256()))


def assignment(**changed: Any) -> bytes:
    given = {"pod": POD, "service": "default/line", "args": ["--model_name=line"], "env": {}}
    return orjson.dumps(given | changed)


def line(folder: Path) -> Path:
    folder.mkdir()
    joblib.dump(LinearRegression().fit([[0.0], [1.0]], [1.0, 3.0]), folder / "model.joblib")
    return folder


@contextmanager
def standby(state: Path, *, key: str = PUBLIC) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A process whose socket accepts from the start, so that nobody need wait for its port."""
    listener = socket.create_server(("127.0.0.1", 0))
    env = {
        **os.environ,
        "ROUSE_LISTEN_FD": str(listener.fileno()),
        "ROUSE_STANDBY_KEY": key,
        "ROUSE_STANDBY_POD": POD,
        "ROUSE_STANDBY_STATE": str(state),
    }
    url = "http://{}:{}".format(*listener.getsockname())
    with listener:
        process = subprocess.Popen(
            [sys.executable, "-m", "predictors.sklearn", "--standby"],
            cwd=ROOT,
            env=env,
            pass_fds=[listener.fileno()],
            stderr=subprocess.PIPE,
        )
    try:
        yield process, url
    finally:
        process.kill()
        process.communicate()


def take(url: str, body: bytes, signed: str | None = None) -> httpx.Response:
    given = signature(body) if signed is None else signed
    return httpx.post(f"{url}{TAKE}", content=body, headers={"rouse-signature": given}, timeout=30)


def ready(url: str, path: str = "/v2/models/line/ready") -> None:
    """Wait until a model answers; a connection of the desk that closed is none that failed."""
    transport = httpx.HTTPTransport(retries=3)
    with httpx.Client(base_url=url, transport=transport, timeout=30) as client:
        while client.get(path).status_code != 200:
            continue


def test_it_waits_is_told_serves_and_serves_again_after_a_crash(tmp_path: Path) -> None:
    model, state = line(tmp_path / "line"), tmp_path / "state"
    state.mkdir()
    with standby(state) as (process, url):
        # The first answer comes when everything is imported.
        health = httpx.get(f"{url}/v2/health/ready", timeout=30)
        assert health.json() == {"ready": True, "standby": True}
        assert httpx.get(f"{url}/v2/models/line/ready").status_code == 404
        assert httpx.get(f"{url}{TAKE}").status_code == 405
        body = assignment(env={"STORAGE_URI": model.as_uri()})
        stranger = rsa.generate_private_key(65537, 2048)
        for answer, status in (
            (take(url, body, ""), 401),
            (take(url, body, signature(body, stranger)), 401),
            (take(url, body + b" ", signature(body)), 401),
            (take(url, assignment(pod="another")), 403),
            (take(url, assignment(env={"LD_PRELOAD": "/tmp/x.so"})), 400),
            (take(url, b"x" * 200_000), 413),
        ):
            assert answer.status_code == status, answer.text
        assert list(state.iterdir()) == []
        assert take(url, body).status_code == 202
        ready(url)
        asked = {"instances": [[2.0]]}
        answer = httpx.post(f"{url}/v1/models/line:predict", json=asked)
        assert answer.json() == {"predictions": [pytest.approx(5.0)]}
        # It takes one assignment in its life: the way in is gone.
        assert take(url, body).status_code == 404
        text = httpx.get(f"{url}/metrics").text
        total = next(each for each in text.splitlines() if 'sum{phase="total"}' in each)
        assert float(total.split()[-1]) < 1.0
        process.kill()
        process.wait()
    # The kubelet starts the container again, in the same pod.
    with standby(state) as (process, url):
        ready(url)
        answer = httpx.post(f"{url}/v1/models/line:predict", json=asked)
        assert answer.json() == {"predictions": [pytest.approx(5.0)]}
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0


def test_a_model_that_cannot_be_loaded_ends_the_process(tmp_path: Path) -> None:
    with standby(tmp_path) as (process, url):
        assert take(url, assignment(env={"STORAGE_URI": "file:///nowhere"})).status_code == 202
        assert process.wait(30) == 1


def test_it_goes_when_told_to(tmp_path: Path) -> None:
    with standby(tmp_path) as (process, url):
        httpx.get(url, timeout=30)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0


def test_a_damaged_record_never_becomes_a_standby(tmp_path: Path) -> None:
    (tmp_path / "assignment.json").write_bytes(b"{")
    with standby(tmp_path) as (process, _):
        assert process.wait(30) == 1
        assert process.stderr is not None
        assert "delete the pod" in process.stderr.read().decode()


def test_without_a_key_nobody_stands_by(tmp_path: Path) -> None:
    with standby(tmp_path, key="") as (process, _):
        assert process.wait(30) == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"args": ["--standby"]}, "stands by already"),
        ({"args": ["--workers=2"]}, "workers are forked"),
        ({"args": "--model_name=x"}, "args must be a list"),
        ({"env": {"ROUSE_STANDBY_KEY": "x"}}, "ROUSE_STANDBY_KEY is not read late enough"),
        ({"env": {"OMP_NUM_THREADS": "2"}}, "OMP_NUM_THREADS"),
        ({"more": 1}, "an object of"),
        ({"pod": ""}, "pod and service"),
    ],
)
def test_what_no_standby_follows(change: dict[str, Any], message: str) -> None:
    with pytest.raises(MalformedError, match=message):
        Assignment.parse(assignment(**change))


def test_signatures() -> None:
    key = PublicKey.parse(PUBLIC)
    good = signature(b"x")
    assert key.signed(b"x", good)
    assert not key.signed(b"y", good)
    zero, large = _base64(bytes(256)), _base64(bytes([255]) * 256)
    for bad in ("", "=", "*" * 342, good[:-4], good + "AAAA", zero, large):
        assert not key.signed(b"x", bad)
    # Signed by the key, but in another way.
    probabilistic = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
    assert not key.signed(b"x", _base64(KEY.sign(b"x", probabilistic, hashes.SHA256())))
    assert not key.signed(b"x", _base64(KEY.sign(b"x", padding.PKCS1v15(), hashes.SHA512())))


@pytest.mark.parametrize("text", ["", "rsa:", "rsa:AQAB", "dsa:AQAB", f"rsa:{'A' * 9000}"])
def test_what_is_no_key(text: str) -> None:
    with pytest.raises(ValueError, match=r"key"):
        PublicKey.parse(text)
