"""CUDA graphs, with CUDA's calls replaced, since the tests' machines have no GPU."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from predictors.pytorch.device import Device, Download
from predictors.pytorch.replay import CudaGraphs, Direct, replay_on


class Graph:
    """One recording; counts how often it is played."""

    def __init__(self) -> None:
        self.played = 0
        self.pool: object = None

    def replay(self) -> None:
        """Count."""
        self.played += 1


class Cuda:
    """What is called of ``torch.cuda`` around a recording, in order."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.graphs: list[Graph] = []
        self.recording = False
        self.fails = False

    def stream(self, *_: Any) -> Any:
        """A stream that others may wait for."""
        return SimpleNamespace(wait_stream=lambda _: self.told.append("wait"))

    def made(self) -> Graph:
        """A new graph."""
        self.graphs.append(Graph())
        return self.graphs[-1]

    @contextmanager
    def graph(self, graph: Graph, *, pool: object, capture_error_mode: str) -> Iterator[None]:
        """Record what is called in the block."""
        assert capture_error_mode == "thread_local"
        graph.pool = pool
        self.recording = True
        try:
            yield
        finally:
            self.recording = False
        if self.fails:
            raise torch.AcceleratorError("operation not permitted when stream is capturing\nCUDA")


@pytest.fixture
def cuda(monkeypatch: pytest.MonkeyPatch) -> Cuda:
    made = Cuda()
    for name, value in {
        "Stream": made.stream,
        "current_stream": made.stream,
        "stream": lambda _: nullcontext(),
        "device": lambda _: nullcontext(),
        "graph_pool_handle": object,
        "CUDAGraph": made.made,
        "graph": made.graph,
        "synchronize": lambda _: made.told.append("synchronize"),
    }.items():
        monkeypatch.setattr(torch.cuda, name, value)
    return made


def test_a_step_is_recorded_once_and_then_replayed(cuda: Cuda) -> None:
    graphs = CudaGraphs(Device("cuda:0"), "model a")
    calls: list[bool] = []

    def step() -> object:
        calls.append(cuda.recording)
        return calls

    for _ in range(3):
        assert graphs.run((1, 256), step) is calls
    assert calls == [False, False, True]
    assert cuda.graphs[0].played == 3
    graphs.run((2, 256), step)
    assert [graph.played for graph in cuda.graphs] == [3, 1]
    assert cuda.graphs[0].pool is cuda.graphs[1].pool
    graphs.forget()
    assert cuda.told[-1] == "synchronize"
    graphs.run((1, 256), step)
    assert len(cuda.graphs) == 3
    assert cuda.graphs[2].pool is not cuda.graphs[0].pool


def test_a_step_that_cannot_be_recorded_is_called(
    cuda: Cuda, caplog: pytest.LogCaptureFixture
) -> None:
    cuda.fails = True
    graphs = CudaGraphs(Device("cuda:0"), "model a")
    calls: list[int] = []
    with caplog.at_level(logging.WARNING):
        for key in (1, 1, 2):
            graphs.run(key, lambda: calls.append(1))
    assert len(calls) == 3 + 3  # the attempt, and then one each
    assert graphs.broken
    told = [record.getMessage() for record in caplog.records]
    assert told == [
        "model a: its steps cannot be recorded as CUDA graphs and are launched kernel by kernel: "
        "operation not permitted when stream is capturing"
    ]


def test_an_error_of_the_step_itself_is_told(cuda: Cuda) -> None:
    def step() -> None:
        raise ZeroDivisionError

    graphs = CudaGraphs(Device("cuda:0"), "model a")
    with pytest.raises(ZeroDivisionError):
        graphs.run(1, step)
    assert not graphs.broken


def test_a_processor_calls() -> None:
    assert isinstance(replay_on(Device("cpu"), "a"), Direct)
    assert isinstance(replay_on(Device("cuda:0"), "a"), CudaGraphs)
    direct = Direct()
    assert direct.run(1, lambda: 5) == 5
    assert not direct.fixed
    assert Direct(fixed=True).fixed


def test_a_download_is_what_was_when_it_began() -> None:
    tensor = torch.arange(3)
    begun = Device("cpu").begin_download(tensor)
    tensor += 1
    assert begun.result().tolist() == [0, 1, 2]
    waited: list[int] = []
    event: Any = SimpleNamespace(synchronize=lambda: waited.append(1))
    assert Download(tensor, event).result() is tensor
    assert waited == [1]
