from __future__ import annotations

import pytest

from rouse.kube.objects import Object
from rouse.sdk.conditions import NotReadyError, explain, is_ready


def isvc(generation: int, observed: int, **conditions: str) -> Object:
    listed = [{"type": kind, "status": status} for kind, status in conditions.items()]
    return {
        "metadata": {"name": "iris", "generation": generation},
        "status": {"observedGeneration": observed, "conditions": listed},
    }


@pytest.mark.parametrize(
    ("found", "ready"),
    [
        (isvc(1, 1, Ready="True"), True),
        (isvc(1, 1, Ready="True", LatestDeploymentReady="True"), True),
        (isvc(2, 1, Ready="True"), False),
        (isvc(1, 1, Ready="Unknown"), False),
        (isvc(2, 2, Ready="True", LatestDeploymentReady="False"), False),
        ({"metadata": {"generation": 1}}, False),
    ],
)
def test_ready_means_the_newest_spec(found: Object, ready: bool) -> None:
    assert is_ready(found) is ready


def test_an_error_tells_the_reasons() -> None:
    found = isvc(1, 1, Ready="False", IngressReady="True")
    found["status"]["conditions"][0].update(reason="NoRuntime", message="no runtime for cobol")
    assert explain(found) == "Ready=False (NoRuntime): no runtime for cobol"
    assert "after 3 s: Ready=False" in str(NotReadyError("iris", "default", found, 3))
    assert "it does not exist" in str(NotReadyError("iris", "default", None, 3))


def test_what_several_conditions_say_is_told_once() -> None:
    found = isvc(1, 1, IngressReady="Unknown", RoutesReady="False", Ready="False")
    ingress, routes, ready = found["status"]["conditions"]
    ingress.update(message="no revision is ready yet")
    routes.update(message="revision iris-00001 failed: no file model.joblib.")
    ready.update(reason="RevisionFailed", message="no file model.joblib")
    assert explain(found) == (
        "Ready=False (RevisionFailed): no file model.joblib; "
        "IngressReady=Unknown: no revision is ready yet"
    )
