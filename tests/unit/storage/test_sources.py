"""Every kind of origin, each against a test double of its public API."""

from __future__ import annotations

import base64
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import orjson
import pytest

from predictors.serving.errors import StorageError
from predictors.storage import fetched
from predictors.storage.cache import Cache
from tests.unit.storage.doubles import hub, registry
from tests.unit.storage.doubles.hub import COMMIT, HubHandler
from tests.unit.storage.doubles.registry import RegistryHandler
from tests.unit.storage.doubles.s3 import S3Handler
from tests.unit.storage.doubles.web import Handler, Origin, serving

BODY = random.Random(4).randbytes(100_000)
QUICK = {
    "ROUSE_STORAGE_PART_BYTES": "30000",
    "ROUSE_STORAGE_BACKOFF_SECONDS": "0.001",
    "ROUSE_STORAGE_ATTEMPTS": "3",
}


def model(uri: str, env: dict[str, str]) -> dict[str, bytes]:
    with fetched(uri, env={**QUICK, **env}) as folder:
        return {
            str(path.relative_to(folder)): path.read_bytes()
            for path in folder.rglob("*")
            if path.is_file()
        }


def refused(uri: str, env: dict[str, str]) -> str:
    with pytest.raises(StorageError) as refusal:
        model(uri, env)
    return str(refusal.value)


@pytest.fixture
def s3() -> Iterator[Origin]:
    with serving(Origin(), S3Handler) as made:
        for name in ("iris/1/w.bin", "iris/a b.txt", "iris/config", "iris2/other"):
            made.files[f"/b/{name}"] = BODY if name.endswith("bin") else name.encode()
        yield made


def keys(s3: Origin) -> dict[str, str]:
    return {
        "AWS_ENDPOINT_URL": s3.url,
        "AWS_ACCESS_KEY_ID": "id",
        "AWS_SECRET_ACCESS_KEY": "hush",
        "AWS_DEFAULT_REGION": "eu-west-1",
    }


def test_s3_brings_a_folder_and_not_its_neighbour(s3: Origin) -> None:
    found = model("s3://b/iris", keys(s3))
    assert found == {"1/w.bin": BODY, "a b.txt": b"iris/a b.txt", "config": b"iris/config"}
    assert "Credential=id/" in s3.requests[-1][2]["authorization"]
    assert "/eu-west-1/s3/" in s3.requests[-1][2]["authorization"]


def test_s3_brings_one_object(s3: Origin) -> None:
    assert model("s3://b/iris/1/w.bin", keys(s3)) == {"w.bin": BODY}


def test_s3_unpacks_a_single_archive(s3: Origin) -> None:
    s3.files["/b/m.tar.gz"] = registry.layer({"x/model.pkl": b"w"})
    assert model("s3://b/m.tar.gz", keys(s3)) == {"x/model.pkl": b"w"}


def test_s3_by_an_entry_of_storage_config(s3: Origin) -> None:
    entry = {
        "type": "s3",
        "bucket": "b",
        "endpoint_url": s3.url,
        "access_key_id": "entry",
        "secret_access_key": "hush",
    }
    env = {
        "STORAGE_CONFIG": orjson.dumps(entry).decode(),
        "STORAGE_OVERRIDE_CONFIG": '{"region": "us-west-2"}',
    }
    assert model("<scheme-placeholder>://iris/1", env) == {"w.bin": BODY}
    assert "Credential=entry/" in s3.requests[-1][2]["authorization"]
    assert "/us-west-2/" in s3.requests[-1][2]["authorization"]


def test_s3_without_a_signature(s3: Origin) -> None:
    model("s3://b/iris/config", {**keys(s3), "awsAnonymousCredential": "true"})
    assert not [h for _, _, h in s3.requests if "authorization" in h]


def test_s3_tells_what_to_do_and_no_secret(s3: Origin) -> None:
    said = refused("s3://b/none", keys(s3))
    assert said.startswith("s3://b/none: there is no object 'none' in b, and none below it")

    def denied(handler: Handler) -> bool:
        handler.answer(403, b"<Error><Code>AccessDenied</Code></Error>")
        return handler.command == "GET"

    s3.faults.append(denied)
    assert "hush" not in refused("s3://b/iris", keys(s3))


def test_s3_goes_on_after_a_fault(s3: Origin) -> None:
    def broken(handler: Handler) -> bool:
        if handler.command != "GET":
            return False
        handler.answer(500, b"")
        return True

    s3.once(broken, when=4)
    assert model("s3://b/iris", keys(s3))["1/w.bin"] == BODY


@pytest.fixture
def store() -> Iterator[Origin]:
    with serving(Origin()) as made:
        yield made


@pytest.fixture
def hf(store: Origin) -> Iterator[Origin]:
    kind = type("Kind", (HubHandler,), {"store": store.url})
    with serving(Origin(), kind) as made:
        for name in ("config.json", "onnx/model.onnx", "vocab.txt", "weights.bin"):
            made.files[f"/{name}"] = BODY if name.endswith("bin") else name.encode()
        store.files.update(made.files)
        yield made


def test_hf_brings_all_pages_of_a_commit(hf: Origin, store: Origin) -> None:
    found = model("hf://org/m", {"HF_ENDPOINT": hf.url, "HF_TOKEN": hub.TOKEN})
    assert sorted(found) == ["config.json", "onnx/model.onnx", "vocab.txt", "weights.bin"]
    assert found["weights.bin"] == BODY
    assert {h.get("authorization") for _, _, h in hf.requests} == {f"Bearer {hub.TOKEN}"}
    assert store.requests
    assert not [h for _, _, h in store.requests if "authorization" in h]


def test_hf_brings_a_folder_or_a_file(hf: Origin) -> None:
    env = {"HF_ENDPOINT": hf.url}
    assert model(f"hf://org/m:{COMMIT}/onnx", env) == {"model.onnx": b"onnx/model.onnx"}
    assert model("hf://org/m@main/vocab.txt", env) == {"vocab.txt": b"vocab.txt"}


def test_hf_checks_what_it_got(hf: Origin, store: Origin) -> None:
    store.files["/weights.bin"] = BODY[::-1]
    assert "weights.bin: its sha256 checksum is" in refused("hf://org/m", {"HF_ENDPOINT": hf.url})


@pytest.mark.parametrize(
    ("status", "code", "reason"),
    [
        (401, "GatedRepo", "org/m is gated: accept its conditions at http"),
        (403, "", "org/m is gated"),
        (401, "RepoNotFound", "does not exist, or is private. The token that was given cannot"),
        (404, "RevisionNotFound", "no such revision or file"),
    ],
)
def test_hf_says_what_to_do(hf: Origin, status: int, code: str, reason: str) -> None:
    def denied(handler: Handler) -> bool:
        handler.answer(status, b"", **{"x-error-code": code})
        return True

    hf.faults.append(denied)
    said = refused("hf://org/m", {"HF_ENDPOINT": hf.url, "HF_TOKEN": hub.TOKEN})
    assert reason in said
    assert hub.TOKEN not in said


def test_hf_offline_takes_what_is_cached(hf: Origin, tmp_path: Path) -> None:
    env = {**QUICK, "HF_ENDPOINT": hf.url}
    cache = Cache(tmp_path)
    with pytest.raises(StorageError, match="HF_HUB_OFFLINE is set"):
        cache.fetch("hf://org/m", env={**env, "HF_HUB_OFFLINE": "1"})
    first = cache.fetch("hf://org/m", env=env)
    hf.requests.clear()
    assert first is not None
    again = cache.fetch("hf://org/m", env={**env, "HF_HUB_OFFLINE": "1"})
    assert again is not None
    assert again.folder == first.folder
    assert not hf.requests


@pytest.mark.parametrize("uri", ["hf://m", "hf://", "hf://../m", "hf://org/a?b"])
def test_hf_locations_that_mean_nothing(uri: str) -> None:
    assert "write hf://ORG/MODEL" in refused(uri, {})


@pytest.fixture
def oci() -> Iterator[Origin]:
    with serving(Origin(), RegistryHandler) as made:
        yield made


def place(oci: Origin, reference: str) -> str:
    return f"oci://{oci.url.partition('://')[2]}/org/m{reference}"


GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"


def test_oci_unpacks_the_models_of_an_image(oci: Origin) -> None:
    lower = {"models/a": b"old", "models/gone": b"x", "etc/passwd": b"no"}
    upper = {"models/a": BODY, "models/.wh.gone": b""}
    layers = [registry.blob(oci, registry.layer(each), GZIP) for each in (lower, upper)]
    image = registry.put(oci, {"mediaType": registry.MANIFEST, "layers": layers})
    other = {"digest": "sha256:" + "0" * 64, "platform": {"os": "linux", "architecture": "s390x"}}
    platforms = ("amd64", "arm64")
    mine = [
        {"digest": image, "platform": {"os": "linux", "architecture": each}} for each in platforms
    ]
    registry.put(oci, {"mediaType": registry.INDEX, "manifests": [other, *mine]}, "v1")
    assert model(place(oci, ":v1"), {}) == {"a": BODY}


def test_oci_without_a_models_folder_says_so(oci: Origin) -> None:
    layers = [registry.blob(oci, registry.layer({"etc/x": b"1"}), GZIP)]
    registry.put(oci, {"layers": layers}, "v1")
    assert "no files below /models" in refused(place(oci, ":v1"), {})


def test_oci_brings_the_files_of_an_artifact(oci: Origin) -> None:
    title = "org.opencontainers.image.title"
    tar = registry.layer({"sub/x": b"1"})
    layers = [
        registry.blob(oci, BODY, "application/octet-stream", **{title: "w.bin"}),
        registry.blob(oci, tar, GZIP, **{title: "d", "io.deis.oras.content.unpack": "true"}),
    ]
    digest = registry.put(oci, {"mediaType": registry.MANIFEST, "layers": layers})
    assert model(place(oci, f"@{digest}"), {}) == {"w.bin": BODY, "sub/x": b"1"}


def test_oci_checks_digests(oci: Origin) -> None:
    title = "org.opencontainers.image.title"
    said: Any = registry.blob(oci, BODY, "application/octet-stream", **{title: "w.bin"})
    digest = registry.put(oci, {"layers": [said]}, "v1")
    oci.files[f"/v2/org/m/blobs/{said['digest']}"] = BODY[::-1]
    assert "w.bin: its sha256 checksum is" in refused(place(oci, ":v1"), {})
    oci.files[f"/v2/org/m/manifests/{digest}"] = b"{}"
    assert f"the manifest {digest} has the digest" in refused(place(oci, f"@{digest}"), {})


def test_oci_uses_a_docker_config_and_does_not_tell_it(oci: Origin, tmp_path: Path) -> None:
    host = oci.url.partition("://")[2]
    auth = base64.b64encode(b"me:hush").decode()
    (tmp_path / "config.json").write_bytes(orjson.dumps({"auths": {host: {"auth": auth}}}))
    asked: list[str] = []

    def token(handler: Handler) -> None:
        asked.append(handler.headers.get("authorization", ""))
        handler.answer(403, b"")

    class Kind(RegistryHandler):
        def respond(self) -> None:
            if self.path.startswith("/token"):
                token(self)
                return
            super().respond()

    with serving(Origin(), Kind) as other:
        host = other.url.partition("://")[2]
        (tmp_path / "config.json").write_bytes(orjson.dumps({"auths": {host: {"auth": auth}}}))
        said = refused(place(other, ":v1"), {"DOCKER_CONFIG": str(tmp_path)})
    assert asked == [f"Basic {auth}"]
    assert "wants credentials that may pull org/m" in said
    assert auth not in said


def test_any_location_that_fsspec_opens() -> None:
    memory = fsspec.filesystem("memory")
    memory.pipe({"/rouse-test/m/1/w.bin": BODY, "/rouse-test/m/c": b"c"})
    assert model("memory://rouse-test/m", {}) == {"1/w.bin": BODY, "c": b"c"}
    assert "there is no file" in refused("memory://rouse-test/none", {})


@pytest.mark.parametrize("uri", ["dir://x/etc", "simplecache::memory://x", "local:///etc"])
def test_fsspec_is_no_way_around(uri: str) -> None:
    with pytest.raises(StorageError):
        model(uri, {})
