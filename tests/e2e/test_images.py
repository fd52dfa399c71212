"""A real image: the scikit-learn predictor, built by buildah and asked for a prediction.

No registry is needed. The base image is made by debootstrap, or is the image ROUSE_TEST_BASE_IMAGE
names (anything buildah can pull, e.g. ``oci-archive:/tmp/base.tar``); wheels come from pip as it is
set up on this machine.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import joblib
import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

ROOT = Path(__file__).resolve().parents[2]
BASE = "localhost/rouse-base:bookworm"
REFERENCE = "localhost/rouse/sklearnserver:test"
BUILD_S = 600.0

# What a container with readOnlyRootFilesystem and an emptyDir at /tmp sees; $0 is the root.
READ_ONLY = """
mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && mount -t tmpfs tmpfs "$0/tmp" &&
exec chroot --userspec=1000:1000 "$0" "$@"
"""

pytestmark = [
    pytest.mark.timeout(BUILD_S),
    pytest.mark.skipif(os.geteuid() != 0, reason="chroot, debootstrap and mounts need root"),
    pytest.mark.skipif(not shutil.which("buildah"), reason="buildah is not installed"),
]


@dataclass(frozen=True, slots=True)
class Built:
    """An image in a storage of its own."""

    environment: Mapping[str, str]
    digest: str
    sbom: dict[str, Any]

    def buildah(self, *arguments: str) -> str:
        return run("buildah", *arguments, environment=self.environment)


def run(*argv: str, environment: Mapping[str, str]) -> str:
    done = subprocess.run(argv, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, f"{argv[:3]}: {done.stderr[-2000:]}"
    return done.stdout.strip()


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    """The environment of a buildah whose images end with the test."""
    folder = tmp_path_factory.mktemp("containers")
    settings = folder / "storage.conf"
    environment = {
        **os.environ,
        "CONTAINERS_STORAGE_CONF": str(settings),
        "BUILDAH_ISOLATION": "chroot",
        "PYTHON": sys.executable,
    }
    # vfs copies every layer, but works where overlays cannot be mounted on the temporary folder.
    for driver in ("overlay", "vfs"):
        environment["STORAGE_DRIVER"] = driver
        places = f'graphroot = "{folder}/{driver}"\nrunroot = "{folder}/run-{driver}"'
        settings.write_text(f'[storage]\ndriver = "{driver}"\n{places}\n')
        if (
            subprocess.run(["buildah", "info"], env=environment, capture_output=True).returncode
            == 0
        ):
            break
    yield environment
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def base(storage: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory) -> str:
    """A Debian with Python 3.11 as a base image."""
    if named := os.environ.get("ROUSE_TEST_BASE_IMAGE"):
        return named
    if not shutil.which("debootstrap"):
        pytest.skip("debootstrap is not installed and ROUSE_TEST_BASE_IMAGE names no image")
    folder = tmp_path_factory.mktemp("base")
    packages = "python3,python3-venv,python3.11-venv,python3-distutils,ca-certificates"
    made = subprocess.run(
        ["debootstrap", "--variant=minbase", f"--include={packages}", "bookworm", folder / "root"],
        capture_output=True,
        text=True,
    )
    if made.returncode:
        pytest.skip(f"debootstrap made no base: {made.stdout[-300:]}{made.stderr[-300:]}")
    (folder / "Dockerfile").write_text("FROM scratch\nCOPY root /\n")
    run("buildah", "build", "--quiet", f"--tag={BASE}", str(folder), environment=storage)
    shutil.rmtree(folder)
    return BASE


@pytest.fixture(scope="module")
def built(storage: Mapping[str, str], base: str, tmp_path_factory: pytest.TempPathFactory) -> Built:
    bills = tmp_path_factory.mktemp("sbom")
    registry, _, tag = REFERENCE.rpartition("/sklearnserver:")
    command = ["scripts/build-images", "sklearn", "--engine=buildah", "--wheels"]
    command += [f"--base={base}", f"--registry={registry}", f"--tag={tag}", f"--sbom={bills}"]
    done = subprocess.run(command, cwd=ROOT, env=storage, capture_output=True, text=True)
    if "pip download" in done.stderr:
        pytest.skip(f"pip has no wheels here: {done.stderr[-500:]}")
    assert done.returncode == 0, done.stderr[-2000:]
    reference, _, digest = done.stdout.strip().partition(" ")
    assert reference == REFERENCE
    return Built(storage, digest, json.loads((bills / "sklearnserver.cdx.json").read_text()))


@pytest.fixture(scope="module")
def root(built: Built) -> Iterator[Path]:
    """The image's files, mounted, with a model in /mnt/models."""
    container = built.buildah("from", "--pull-never", REFERENCE)
    mounted = Path(built.buildah("mount", container))
    samples, labels = load_iris(return_X_y=True)
    model = LogisticRegression(max_iter=500).fit(samples, labels)
    joblib.dump(model, mounted / "mnt/models/model.joblib")
    yield mounted
    built.buildah("umount", container)
    built.buildah("rm", container)


def test_the_image_says_what_it_is(built: Built) -> None:
    image = json.loads(built.buildah("inspect", "--type=image", REFERENCE))
    config = image["OCIv1"]["config"]
    assert built.digest == image["FromImageDigest"]
    assert config["User"] == "1000:1000"
    assert config["Entrypoint"] == ["/venv/bin/python", "-m", "predictors.sklearn"]
    assert config["Labels"]["org.opencontainers.image.title"] == "Rouse: scikit-learn predictor"
    assert config["StopSignal"] == "SIGTERM"


def test_nothing_in_it_installs_and_all_of_it_is_compiled(root: Path) -> None:
    for library in (root / "venv/lib").glob("python3*/site-packages"):
        assert not {"pip", "setuptools"} & {path.name for path in library.iterdir()}
        sources = list(library.rglob("*.py"))
        assert sources
        assert [p for p in sources if not list(p.parent.glob(f"__pycache__/{p.stem}.*.pyc"))] == []
    assert list((root / "usr/lib").glob("python3.11/__pycache__/argparse.*.pyc")) or list(
        (root / "usr/local/lib").glob("python3.11/__pycache__/argparse.*.pyc")
    )


def test_the_bill_lists_libraries_and_debian_packages(built: Built) -> None:
    purls = [component["purl"] for component in built.sbom["components"]]
    for prefix in ("pkg:pypi/scikit-learn@", "pkg:pypi/granian@", "pkg:deb/debian/libc6@"):
        assert any(purl.startswith(prefix) for purl in purls), prefix
    assert not any(purl.startswith(("pkg:pypi/pip@", "pkg:pypi/pydantic@")) for purl in purls)
    properties = built.sbom["metadata"]["component"]["properties"]
    assert {"name": "rouse:image:digest", "value": built.digest} in properties


def test_its_process_answers_as_uid_1000_on_a_read_only_root(root: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [
            *("unshare", "--mount", "sh", "-c", READ_ONLY, str(root)),
            *("/venv/bin/python", "-m", "predictors.sklearn", "--model_name=iris"),
            f"--http_port={port}",
        ],
        env={"PATH": "/venv/bin:/usr/sbin:/usr/bin:/bin", "HOME": "/tmp"},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        answer = first_answer(process, f"http://127.0.0.1:{port}/v1/models/iris:predict")
        assert answer == {"predictions": [0]}
        assert Path(f"/proc/{process.pid}").stat().st_uid == 1000
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
    assert process.returncode == 0


def first_answer(process: subprocess.Popen[str], url: str) -> object:
    """The first answer of a server that is starting; fails with its log when it ends before."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if process.poll() is not None:
            pytest.fail(f"exit {process.returncode}: {process.communicate()[1][-2000:]}")
        try:
            answer = httpx.post(url, json={"instances": [[5.1, 3.5, 1.4, 0.2]]}, timeout=10)
        except httpx.TransportError:
            time.sleep(0.02)
            continue
        if answer.status_code == 200:
            return answer.json()
    return pytest.fail("no answer in 60 s")
