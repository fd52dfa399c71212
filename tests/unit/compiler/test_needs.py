"""What Knative refuses for a feature it lacks is told with the feature, in Knative's own words."""

from __future__ import annotations

from typing import Any

import pytest

from rouse.compiler.needs import explained

Object = dict[str, Any]

SAID = 'admission webhook "validation.webhook.serving.knative.dev" denied the request: '
FIELDS = f"{SAID}validation failed: must not set the field(s): "
PREFIX = "kubernetes.podspec-"


def knative(**pod: Any) -> Object:
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {"name": "x", "namespace": "n"},
        "spec": {"template": {"spec": {"containers": [{"name": "a"}], **pod}}},
    }


def claim(*, read_only: bool) -> Object:
    return {"volumes": [{"name": "v", "persistentVolumeClaim": {"readOnly": read_only}}]}


@pytest.mark.parametrize(
    ("pod", "refusal", "flags"),
    [
        (
            {"tolerations": [{}], "nodeSelector": {"a": "b"}, "affinity": {"nodeAffinity": {}}},
            f"{FIELDS}spec.template.spec.nodeSelector, spec.template.spec.tolerations",
            ["nodeselector", "tolerations"],
        ),
        (
            {"securityContext": {"fsGroup": 1}},
            f"{FIELDS}spec.template.spec.securityContext.fsGroup",
            ["securitycontext"],
        ),
        (
            {"containers": [{"env": [{"name": "A", "valueFrom": {"fieldRef": {}}}]}]},
            f"{FIELDS}spec.template.spec.containers[0].env[0].valueFrom.fieldRef",
            ["fieldref"],
        ),
        (
            {"volumes": [{"name": "v", "hostPath": {}}]},
            f"{FIELDS}spec.template.spec.volumes[0].hostPath",
            ["volumes-hostpath"],
        ),
        (
            claim(read_only=False),
            f"{SAID}validation failed: Persistent volume write support is disabled, but found "
            "persistent volume claim c that is not read-only: ",
            ["persistent-volume-write"],
        ),
        (
            claim(read_only=True),
            f"{SAID}validation failed: Persistent volume claim support is disabled, but found "
            "persistent volume claim c: ",
            ["persistent-volume-claim"],
        ),
        (
            {"initContainers": [{}]},
            f"{SAID}validation failed: pod spec support for init-containers is off, but found 1 "
            "init containers: ",
            ["init-containers"],
        ),
    ],
)
def test_the_missing_feature_and_how_to_enable_it(
    pod: Object, refusal: str, flags: list[str]
) -> None:
    names = [f"{PREFIX}{flag}" for flag in flags]
    data = ",".join(f'"{name}":"enabled"' for name in names)
    assert explained(refusal, [knative(**pod)]) == (
        f"{refusal}. Knative lacks {', '.join(names)}; to enable: kubectl patch configmap "
        f"config-features -n knative-serving --type merge -p '{{\"data\":{{{data}}}}}'"
    )


@pytest.mark.parametrize(
    "refusal",
    [
        f"{SAID}validation failed: expected 1 <= 0 <= 100: spec.template.spec.timeoutSeconds",
        f"{FIELDS}spec.template.spec.nodeSelectorTerms",
        "the namespace is being terminated",
    ],
)
def test_other_refusals_stay_as_they_are(refusal: str) -> None:
    deployment = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {}, "spec": {}}
    assert explained(refusal, [knative(nodeSelector={"a": "b"}), deployment]) == refusal
