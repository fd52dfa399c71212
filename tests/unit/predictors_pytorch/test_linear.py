"""Linear layers by oneDNN: the same answers, and only where it is faster."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")

from predictors.pytorch import linear  # noqa: E402
from predictors.pytorch.device import Device  # noqa: E402
from predictors.pytorch.execution import Execution  # noqa: E402
from predictors.pytorch.linear import (  # noqa: E402
    OneDnnLinear,
    rows_multiplied,
    use_onednn,
)
from predictors.pytorch.options import Options  # noqa: E402
from predictors.pytorch.program import Program, unknown  # noqa: E402


@pytest.fixture
def _wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    if not torch.backends.mkldnn.is_available():
        pytest.skip("this torch has no oneDNN")
    monkeypatch.setattr(linear, "faster_by_onednn", lambda: True)
    monkeypatch.setattr(linear, "_LEAST_WORK", 0)


def _layers() -> Any:
    torch.manual_seed(7)
    made = torch.nn.Sequential(torch.nn.Linear(32, 64), torch.nn.Linear(64, 8, bias=False))
    return made.requires_grad_(False).eval()


@pytest.mark.usefixtures("_wanted")
@pytest.mark.parametrize("shape", [(32,), (1, 32), (5, 32), (2, 7, 32), (0, 32), (3, 31, 32)])
def test_answers_stay(shape: tuple[int, ...]) -> None:
    module, rows = _layers(), torch.randn(shape)
    expected = module(rows)
    storage = module[0].weight.data_ptr()
    assert use_onednn(module) == 2
    with torch.inference_mode():
        torch.testing.assert_close(module(rows), expected)
    assert isinstance(module[0], OneDnnLinear)
    assert module[0].weight.data_ptr() == storage


def test_many_rows_come_in_few_sizes() -> None:
    sizes = {rows: rows_multiplied(rows) for rows in range(16385)}
    assert all(sizes[rows] == rows for rows in range(65))
    assert all(rows <= size <= rows * 1.13 for rows, size in sizes.items())
    assert [rows_multiplied(rows) for rows in (65, 72, 73, 128, 129, 1025)] == [
        *(72, 72, 80, 128, 144, 1152)
    ]
    assert len({size for rows, size in sizes.items() if rows > 64}) == 64


@pytest.mark.usefixtures("_wanted")
def test_rows_that_are_no_contiguous_memory() -> None:
    module, rows = _layers(), torch.randn(32, 5, 2).permute(1, 2, 0)
    expected = module(rows)
    use_onednn(module)
    with torch.inference_mode():
        torch.testing.assert_close(module(rows), expected)


@pytest.mark.usefixtures("_wanted")
def test_what_it_cannot_do_stays() -> None:
    trained = torch.nn.Linear(4, 4)
    half = torch.nn.Linear(4, 4).to(torch.bfloat16).requires_grad_(False)
    derived = torch.nn.modules.linear.NonDynamicallyQuantizableLinear(4, 4).requires_grad_(False)
    assert use_onednn(torch.nn.ModuleList([trained, half, derived])) == 0


@pytest.mark.usefixtures("_wanted")
def test_little_work_is_left_to_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    module, rows = _layers(), torch.randn(5, 32)
    expected = module(rows)
    use_onednn(module)
    monkeypatch.setattr(linear, "_LEAST_WORK", 5 * 32 * 64 + 1)
    with torch.inference_mode():
        assert torch.equal(module(rows), expected)


@pytest.mark.usefixtures("_wanted")
@pytest.mark.parametrize(
    ("options", "changed"),
    [
        (Options(), True),
        (Options(dtype=torch.bfloat16), False),
        (Options(autocast=torch.bfloat16), False),
    ],
)
def test_programs_that_are_modules_have_it(options: Options, changed: bool) -> None:
    module = _layers()
    program = Program("safetensors", lambda values: module(*values), (unknown("x"),), (), module)
    Execution(program, Device("cpu"), options, "m")
    assert isinstance(module[0], OneDnnLinear) is changed
