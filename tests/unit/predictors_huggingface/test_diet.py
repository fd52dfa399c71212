"""What a start imports, and what it leaves to those who ask for it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("transformers")

START = """
import sys
from predictors.huggingface.runtime import RUNTIME
RUNTIME.prepare()
from transformers.models.bert import modeling_bert
from predictors.huggingface.rehearsal import rehearse
rehearse()
heavy = ("torch._dynamo", "torch._inductor", "torch.distributed.tensor", "torch.distributed.fsdp",
         "sympy", "scipy.optimize", "pandas", "sklearn", "torchvision")
print(*(name for name in heavy if name in sys.modules))

import transformers.models
from transformers.utils.import_utils import define_import_structure
found = define_import_structure(transformers.models.__file__)
kept = {}
for modules in found.values():
    kept |= modules
assert set(transformers.models._modules) >= {name for name in kept if "." not in name}
assert transformers.models.bert.BertModel is modeling_bert.BertModel

import torch
assert torch._dynamo.allow_in_graph.__module__.startswith("torch."), "the real one comes later"
from transformers import masking_utils
with masking_utils.TransformGetItemToIndex() as mode:
    assert type(mode).__name__ == "TransformGetItemToIndex"
"""


def test_an_encoder_starts_without_the_compiler_and_comes_to_it_later() -> None:
    done = run(START)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []


OTHER_VERSION = """
import sys
from predictors.huggingface import diet
diet._TRACING = "torch._dynamo.elsewhere"
diet.import_transformers()
from transformers.models.bert.modeling_bert import BertModel
assert sys.modules["torch._dynamo"].__file__, "the real one"
from transformers.utils import is_torch_distributed_available
assert is_torch_distributed_available()
"""


def test_a_version_that_wants_more_gets_it() -> None:
    done = run(OTHER_VERSION)
    assert done.returncode == 0, done.stderr


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        timeout=55,
        check=False,
    )
