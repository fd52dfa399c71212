"""A genuine containerd runs the program in an image that has nothing but one text file."""

from __future__ import annotations

import hashlib
import io
import json
import os
import platform
import shutil
import subprocess
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rouse.controllers.prepull.hold import main

IMAGE = "example.com/no-shell:v1"
CONFIG = """
version = 2
root = "{0}/root"
state = "{0}/state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
  address = "{0}/socket"
"""
LAYER = "application/vnd.oci.image.layer.v1.tar"
OCI = "application/vnd.oci.image"

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0
    or platform.machine() != "x86_64"
    or not all(map(shutil.which, ("containerd", "ctr", "runc"))),
    reason="needs root, x86-64, and containerd with ctr and runc",
)


def archive(path: Path) -> None:
    """Write an image as an OCI archive."""
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as files:
        entry = tarfile.TarInfo("only.txt")
        entry.size = 5
        files.addfile(entry, io.BytesIO(b"text\n"))
    blobs: dict[str, bytes] = {}

    def blob(kind: str, data: bytes) -> dict[str, object]:
        digest = hashlib.sha256(data).hexdigest()
        blobs[f"blobs/sha256/{digest}"] = data
        return {"mediaType": kind, "digest": f"sha256:{digest}", "size": len(data)}

    content = blob(LAYER, layer.getvalue())
    rootfs = {"type": "layers", "diff_ids": [content["digest"]]}
    config = {"architecture": "amd64", "os": "linux", "config": {}, "rootfs": rootfs}
    manifest = {
        "schemaVersion": 2,
        "mediaType": f"{OCI}.manifest.v1+json",
        "config": blob(f"{OCI}.config.v1+json", json.dumps(config).encode()),
        "layers": [content],
    }
    listed = blob(f"{OCI}.manifest.v1+json", json.dumps(manifest).encode())
    named = {**listed, "annotations": {"io.containerd.image.name": IMAGE}}
    blobs["index.json"] = json.dumps({"schemaVersion": 2, "manifests": [named]}).encode()
    blobs["oci-layout"] = b'{"imageLayoutVersion": "1.0.0"}'
    with tarfile.open(path, "w") as made:
        for name, data in blobs.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            made.addfile(entry, io.BytesIO(data))


def wait_for(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < end, "it did not come about in 30 s"
        time.sleep(0.05)


@pytest.fixture
def ctr(tmp_path: Path) -> Iterator[Callable[..., str]]:
    """Call ctr on a containerd of its own."""
    config = tmp_path / "config.toml"
    config.write_text(CONFIG.format(tmp_path))

    def call(*words: str) -> str:
        argv = ["ctr", "-a", str(tmp_path / "socket"), "-n", "test", *words]
        return subprocess.run(argv, check=True, capture_output=True, text=True, timeout=30).stdout

    with (
        (tmp_path / "log").open("w") as log,
        subprocess.Popen(["containerd", "-c", str(config)], stdout=log, stderr=log) as daemon,
    ):
        try:
            wait_for(lambda: (tmp_path / "socket").exists())
            yield call
        finally:
            daemon.terminate()


def test_an_image_without_a_shell_is_held(ctr: Callable[..., str], tmp_path: Path) -> None:
    archive(tmp_path / "image.tar")
    (tmp_path / "volume").mkdir()
    main([str(tmp_path / "volume" / "hold")])
    ctr("images", "import", "--snapshotter", "native", str(tmp_path / "image.tar"))
    mount = f"type=bind,src={tmp_path}/volume,dst=/rouse,options=rbind:ro"
    kept = ("--read-only", "--seccomp", "--memory-limit", str(32 * 2**20), "--cwd", "/")
    ctr(
        *("run", "-d", "--null-io", "--snapshotter", "native", *kept, "--mount", mount),
        *(IMAGE, "held", "/rouse/hold"),
    )
    try:
        assert "RUNNING" in ctr("tasks", "ls")
        # As the first process of its container it ignores this.
        ctr("tasks", "kill", "-s", "SIGTERM", "held")
        assert "RUNNING" in ctr("tasks", "ls")
    finally:
        ctr("tasks", "kill", "-s", "SIGKILL", "held")
        wait_for(lambda: "RUNNING" not in ctr("tasks", "ls"))
        ctr("tasks", "rm", "held")
        ctr("containers", "rm", "held")
