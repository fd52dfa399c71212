"""KServe's own samples, where they are beside the checkout: compiled, or refused for a reason."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

SAMPLES = Path(__file__).resolve().parents[4] / "shared" / "samples" / "kserve"
FILES = sorted(SAMPLES.glob("*.yaml"))

REFUSED = {
    # The block is gone from KServe's v1beta1 too.
    "explanation__alibi__income__income.yaml": "spec.explainer.alibi: KServe dropped",
    # Its runtime is not part of the file.
    "fluid__fluid-isvc.yaml": 'named "custom-kserve-huggingfaceserver"',
    # {$your-domain} is to be replaced first.
    "graph__switch.yaml": "serviceUrl:",
    "rollout-strategy__rollout-strategy-example.yaml": "spec.transformer.custom: unknown field",
    "v1beta1__torchserve__v1__bloom__bloom-560m.yaml": "did you mean spec.predictor.nodeName?",
}


@pytest.mark.skipif(not FILES, reason="KServe's samples are not at ../shared/samples")
def test_samples_compile_or_are_refused_for_a_reason(cli: Any) -> None:
    for file in FILES:
        ran = cli("compile", "-f", file)
        reason = REFUSED.get(file.name)
        assert (ran.code == 1) == (reason is not None), f"{file.name}: {ran.err}"
        if reason is not None:
            assert reason in ran.err, file.name
        else:
            assert ran.out or "not compiled: " in ran.err, file.name
        assert cli("compile", "-f", file).out == ran.out, file.name


@pytest.mark.skipif(not FILES, reason="KServe's samples are not at ../shared/samples")
def test_the_report_has_every_sample(cli: Any) -> None:
    report = cli("compile", "-f", SAMPLES, "--report").out
    assert not [file.name for file in FILES if f"{file.name} " not in report]
