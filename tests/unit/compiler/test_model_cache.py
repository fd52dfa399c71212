"""How a pod comes to read its node's cache, and when it does not."""

from __future__ import annotations

from typing import Any

import pytest

from rouse.api.localmodelnode.names import node_label, twin_folder
from rouse.compiler.config import Config
from rouse.compiler.podwebhook import diff, mutate
from rouse.compiler.storage import Facts, Location, Storage, attach
from rouse.embedded.apiserver.jsonpatch import json_patch

URI = "https://models.example.com/iris.joblib"
CACHED = "internal.rouse.dev/model-cache"
SOURCE = "internal.serving.kserve.io/storage-initializer-sourceuri"
PATH = "/var/lib/rouse/models"
OWN, SHARED = f"{PATH}/views/namespaces/team-a", f"{PATH}/views/shared"
FOLDERS = {"name": "ROUSE_MODEL_CACHE", "value": f"{OWN}:{SHARED}"}
CONFIG = Config.from_config_map({"data": {"modelCache": f"{{hostPath: {PATH}}}"}})
POD = {"containers": [{"name": "kserve-container", "image": "server"}]}


@pytest.mark.parametrize("own", [True, False])
@pytest.mark.parametrize(
    ("uri", "config", "annotations", "asked"),
    [
        (URI, CONFIG, {}, True),
        (URI, Config(), {}, False),
        (URI, CONFIG, {"rouse.dev/model-cache": "off"}, False),
        (URI, CONFIG, {"serving.kserve.io/disable-localmodel": "true"}, False),
        ("pvc://claim/iris", CONFIG, {}, False),
        ("file:///models/iris", CONFIG, {}, False),
    ],
)
def test_which_pods_ask(
    own: bool, uri: str, config: Config, annotations: dict[str, str], asked: bool
) -> None:
    _, said = attach(
        POD,
        "kserve-container",
        Storage((Location(uri),)),
        own_predictor=own,
        config=config,
        annotations=annotations,
    )
    assert said.get(CACHED) == (uri if asked else None)


def pod(annotations: dict[str, str], env: list[dict[str, str]]) -> dict[str, Any]:
    container = {"name": "kserve-container", "image": "server", "env": env}
    metadata = {"namespace": "team-a", "annotations": annotations}
    return {"metadata": metadata, "spec": {"containers": [container]}}


def test_a_server_that_fetches_itself_reads_the_cache_in_place() -> None:
    env = [{"name": "STORAGE_URI", "value": URI}]
    asked = pod({CACHED: URI}, env)
    made = mutate(asked, config=CONFIG)
    (container,) = made["spec"]["containers"]
    assert FOLDERS in container["env"]
    # Of the node's models its namespace's and everybody's, and no folder above them.
    volumes = {"rouse-model-cache": OWN, "rouse-model-cache-shared": SHARED}
    assert container["volumeMounts"] == [
        {"name": name, "mountPath": path, "readOnly": True} for name, path in volumes.items()
    ]
    assert made["spec"]["volumes"] == [
        {"name": name, "hostPath": {"path": path, "type": "DirectoryOrCreate"}}
        for name, path in volumes.items()
    ]
    (term,) = made["spec"]["affinity"]["nodeAffinity"][
        "preferredDuringSchedulingIgnoredDuringExecution"
    ]
    assert term["preference"]["matchExpressions"] == [
        {"key": node_label(URI), "operator": "Exists"}
    ]
    assert mutate(made, config=CONFIG) == made
    assert json_patch(asked, diff(asked, made)) == made


OURS = {CACHED: URI, "embedded.rouse.dev/command": '["{python}", "-m", "predictors.sklearn"]'}
STORAGE_URI = {"name": "STORAGE_URI", "value": URI}
TWINS = f"{PATH}/twins/{twin_folder('team-a', URI)}"


def test_a_server_of_ours_may_write_the_twin_of_its_model_and_nothing_else() -> None:
    asked = pod(OURS, [STORAGE_URI])
    made = mutate(asked, config=CONFIG)
    (container,) = made["spec"]["containers"]
    assert {"name": "ROUSE_TWIN_CACHE", "value": TWINS} in container["env"]
    writable = [each for each in container["volumeMounts"] if not each.get("readOnly")]
    assert writable == [{"name": "rouse-model-twins", "mountPath": TWINS}]
    source = {"path": TWINS, "type": "DirectoryOrCreate"}
    assert made["spec"]["volumes"][-1] == {"name": "rouse-model-twins", "hostPath": source}
    # Of another namespace, or another model, it is another folder.
    assert "/team-a/" in TWINS
    assert twin_folder("team-a", URI) != twin_folder("team-a", f"{URI}#2")
    assert mutate(made, config=CONFIG) == made


@pytest.mark.parametrize(
    ("annotations", "env", "setting"),
    [
        ({CACHED: URI}, [], ""),
        ({**OURS, "embedded.rouse.dev/command": '["{python}", "-m", "predictors.onnx"]'}, [], ""),
        (OURS, [{"name": "ROUSE_TWIN", "value": "off"}], ""),
        (OURS, [{"name": "ROUSE_TWIN_CACHE", "value": "/scratch"}], ""),
        (OURS, [], ", twins: false"),
    ],
    ids=["another server", "one without twins", "off", "kept elsewhere", "the installation's word"],
)
def test_who_may_not_write(
    annotations: dict[str, str], env: list[dict[str, str]], setting: str
) -> None:
    said = {"data": {"modelCache": f"{{hostPath: {PATH}{setting}}}"}}
    made = mutate(pod(annotations, [STORAGE_URI, *env]), config=Config.from_config_map(said))
    (container,) = made["spec"]["containers"]
    assert len(container["volumeMounts"]) == 2
    assert all(each["readOnly"] for each in container["volumeMounts"])


def test_the_initializer_of_another_server_copies_from_the_cache() -> None:
    made = mutate(pod({CACHED: URI, SOURCE: URI}, []), config=CONFIG)
    (initializer,) = made["spec"]["initContainers"]
    assert FOLDERS in initializer["env"]
    (server,) = made["spec"]["containers"]
    assert "ROUSE_MODEL_CACHE" not in {each["name"] for each in server.get("env") or ()}


def test_without_the_setting_a_pod_is_left_as_it_is() -> None:
    asked = pod({CACHED: URI}, [{"name": "STORAGE_URI", "value": URI}])
    assert mutate(asked, config=Config()) == asked


CLAIMS = Config.from_config_map({"data": {"modelCache": "{claims: true}"}})


def served(**annotations: str) -> Facts:
    named = {"internal.serving.kserve.io/localmodel-pvc-name": "iris-disks", **annotations}
    return Facts(services={"iris": {"metadata": {"annotations": named}}})


def asking() -> dict[str, Any]:
    """A pod of the InferenceService iris, of another's server."""
    asked = pod({SOURCE: URI}, [])
    asked["metadata"]["labels"] = {"serving.kserve.io/inferenceservice": "iris"}
    return asked


def test_the_claim_of_its_cache_is_mounted() -> None:
    made = mutate(asking(), config=CLAIMS, facts=served())
    (initializer,) = made["spec"]["initContainers"]
    mount = {"name": "rouse-model-cache", "mountPath": "/mnt/rouse-models", "readOnly": True}
    assert mount in initializer["volumeMounts"]
    # Its own folder, or where the volume is of a driver the whole: views are below it then.
    (folders,) = [e["value"] for e in initializer["env"] if e["name"] == "ROUSE_MODEL_CACHE"]
    assert folders.split(":")[:2] == [
        "/mnt/rouse-models",
        "/mnt/rouse-models/views/namespaces/team-a",
    ]
    claim = {"claimName": "iris-disks", "readOnly": True}
    assert {"name": "rouse-model-cache", "persistentVolumeClaim": claim} in made["spec"]["volumes"]
    assert mutate(made, config=CLAIMS, facts=served()) == made


@pytest.mark.parametrize(
    ("config", "facts"), [(Config(), served()), (CLAIMS, Facts()), (CLAIMS, Facts(services={}))]
)
def test_without_setting_or_claim_nothing_of_it_is_mounted(config: Config, facts: Facts) -> None:
    made = mutate(asking(), config=config, facts=facts)
    assert "rouse-model-cache" not in {each["name"] for each in made["spec"]["volumes"]}
