"""Devices and workers; CUDA's calls are replaced, since the tests' machines have no GPU."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from predictors.pytorch.device import Device
from predictors.pytorch.gpus import own_gpu, visible, with_workers
from predictors.pytorch.openmp import wait_passively
from predictors.pytorch.runtime import RUNTIME
from predictors.pytorch.threads import before_fork, use_all
from predictors.serving.errors import ModelLoadError, OverloadedError
from predictors.serving.metrics.custom import custom_lines
from predictors.serving.metrics.shared import added
from predictors.serving.model import PlacesWorkers


@pytest.fixture
def gpus(tmp_path: Path) -> Path:
    """A folder like ``/dev`` of a machine with two GPUs."""
    for name in ("nvidia0", "nvidia1", "nvidiactl", "nvidia-uvm"):
        (tmp_path / name).touch()
    return tmp_path


def test_the_device_is_what_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Device.choose({"ROUSE_DEVICE": "cpu"}).name == "cpu"
    with pytest.raises(ModelLoadError, match=r"ROUSE_DEVICE is 'abacus', which is no device"):
        Device.choose({"ROUSE_DEVICE": "abacus"})
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert Device.choose({}).name == "cuda:0"
    assert Device.choose({"ROUSE_DEVICE": "cuda:1"}).name == "cuda:1"
    with pytest.raises(ModelLoadError, match=r"cuda:2; this process sees 2 CUDA devices"):
        Device.choose({"ROUSE_DEVICE": "cuda:2"})


def test_memory_of_a_gpu_is_among_the_metrics(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (30, 80))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    monkeypatch.setattr("predictors.serving.metrics.custom._others", {})
    assert Device("cpu").memory() is None
    device = Device("cuda:0")
    assert device.memory() == (50, 80)
    device.show_memory()
    text = "\n".join(custom_lines())
    assert 'rouse_device_memory_used_bytes{device="cuda:3"} 50' in text
    assert 'rouse_device_memory_free_bytes{device="cuda:3"} 30' in text
    assert 'rouse_device_memory_total_bytes{device="cuda:3"} 80' in text
    # Two workers that share a GPU do not make two of it.
    both = added([text.encode(), text.encode()]).decode()
    assert 'rouse_device_memory_total_bytes{device="cuda:3"} 80' in both


def test_a_processor_without_memory_is_told_like_a_gpu() -> None:
    device = Device("cpu")
    with (
        pytest.raises(OverloadedError, match="cpu is out of memory"),
        device.out_of_memory("m"),
    ):
        torch.empty(1 << 60, dtype=torch.uint8)
    with pytest.raises(RuntimeError, match="another"), device.out_of_memory("m"):
        raise RuntimeError("another")


def test_what_a_failed_call_held_is_let_go() -> None:
    held = []

    def fail() -> None:
        tensor = torch.ones(10)
        held.append(tensor.untyped_storage()._weak_ref())
        raise torch.OutOfMemoryError("CUDA out of memory. More.")

    with pytest.raises(OverloadedError), Device("cpu").out_of_memory("m"):
        fail()
    assert torch.UntypedStorage._new_with_weak_ptr(held[0]) is None


def test_each_worker_has_a_gpu_of_its_own(gpus: Path) -> None:
    assert visible({}, gpus) == ["0", "1"]
    assert visible({"CUDA_VISIBLE_DEVICES": "2, 5"}, gpus) == ["2", "5"]
    assert visible({"CUDA_VISIBLE_DEVICES": "-1"}, gpus) == []
    assert [own_gpu(index, {}, gpus) for index in range(3)] == ["0", "1", "0"]
    assert own_gpu(0, {"CUDA_VISIBLE_DEVICES": "7"}, gpus) is None
    assert own_gpu(0, {"ROUSE_DEVICE": "cpu"}, gpus) is None
    assert with_workers(["--grpc_port=1"], {}, gpus) == ["--grpc_port=1", "--workers=2"]
    assert with_workers(["--workers", "4"], {}, gpus) == ["--workers", "4"]
    assert with_workers(["--warm"], {}, gpus) == ["--warm"]


def test_a_worker_sees_no_other_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,6")
    assert isinstance(RUNTIME, PlacesWorkers)
    RUNTIME.become_worker(1)
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "6"


def test_threads_are_those_of_the_calling_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    before = torch.get_num_threads()
    try:
        before_fork()
        assert torch.get_num_threads() == 1
        assert use_all(2) == 2
        assert torch.get_num_threads() == 2
    finally:
        use_all(before)


def test_threads_wait_passively_unless_told_otherwise() -> None:
    env: dict[str, str] = {}
    wait_passively(env)
    assert env == {"OMP_WAIT_POLICY": "PASSIVE"}
    for own in ({"OMP_WAIT_POLICY": "ACTIVE"}, {"GOMP_SPINCOUNT": "1000"}):
        env = dict(own)
        wait_passively(env)
        assert env == own
