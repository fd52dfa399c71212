"""Our rendering is kustomize's, object by object, and what is not rendered is refused."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from rouse.errors import ConfigError
from rouse.installer.kustomize import render
from rouse.installer.kustomize.render import identity
from rouse.manifests import manifests_dir

Object = dict[str, Any]

KUBECTLS = list(
    dict.fromkeys(
        filter(
            None,
            [
                shutil.which("kubectl"),
                *os.environ.get("ROUSE_TEST_KUBECTLS", "").split(os.pathsep),
            ],
        )
    )
)
FOLDERS = sorted(path.name for path in (manifests_dir() / "overlays").iterdir())


def genuine(kubectl: str, folder: Path) -> list[Object]:
    asked = [kubectl, "version", "--client", "-o", "json"]
    version = subprocess.run(asked, capture_output=True, text=True, timeout=50, check=False)
    if "kustomizeVersion" not in version.stdout:
        pytest.skip(f"{kubectl} has a kustomize that knows no components")
    argv = [kubectl, "kustomize", str(folder)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 0, done.stderr
    return list(yaml.load_all(done.stdout, Loader=yaml.CSafeLoader))


def by_identity(objects: list[Object]) -> dict[Any, Object]:
    found = {identity(obj): obj for obj in objects}
    assert len(found) == len(objects)
    return found


@pytest.mark.skipif(not KUBECTLS, reason="no kubectl is installed")
@pytest.mark.parametrize("overlay", FOLDERS)
@pytest.mark.parametrize("kubectl", KUBECTLS)
def test_overlays_are_as_kustomize_renders_them(kubectl: str, overlay: str) -> None:
    folder = manifests_dir() / "overlays" / overlay
    wanted = by_identity(genuine(kubectl, folder))
    ours = by_identity(render(folder))
    assert ours.keys() == wanted.keys()
    for name, obj in wanted.items():
        assert ours[name] == obj, name


@pytest.mark.skipif(not KUBECTLS, reason="no kubectl is installed")
@pytest.mark.parametrize("kubectl", KUBECTLS)
def test_everything_that_is_rendered_here_is_as_kustomize_renders_it(
    kubectl: str, tmp_path: Path
) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "app.yaml").write_text(APP)
    (tmp_path / "app" / "kustomization.yaml").write_text("resources: [app.yaml]\n")
    (tmp_path / "top").mkdir()
    (tmp_path / "top" / "one.json").write_text('{"a": 1}\n')
    (tmp_path / "top" / "two.json").write_text("[]")
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "kustomization.yaml").write_text(COMPONENT)
    (tmp_path / "top" / "kustomization.yaml").write_text(TOP)
    wanted = by_identity(genuine(kubectl, tmp_path / "top"))
    assert by_identity(render(tmp_path / "top")) == wanted
    deployment = wanted["apps", "Deployment", "n", "app"]
    spec = deployment["spec"]
    assert spec["replicas"] == 5
    images = [each["image"] for each in spec["template"]["spec"]["containers"]]
    assert images == ["here.example.com:5000/b:2", "new:1", "a@sha256:0"]


APP = """
apiVersion: apps/v1
kind: Deployment
metadata:
  name: app
  namespace: n
spec:
  selector: {matchLabels: {a: b}}
  template:
    metadata: {labels: {a: b}}
    spec:
      containers:
        - name: one
          image: registry.example.com:5000/b:1
          args: [x]
          env: [{name: A, value: "1"}, {name: B, value: "2"}]
        - name: two
          image: a:7
      volumes:
        - name: v
          emptyDir: {}
---
apiVersion: example.com/v1
kind: Thing
metadata: {name: thing, namespace: n}
spec:
  containers: [{name: a, image: "a:1"}]
  volumes: [{name: v}]
"""
COMPONENT = """
apiVersion: kustomize.config.k8s.io/v1alpha1
kind: Component
labels: [{pairs: {all: "yes"}}]
patches:
  - patch: |
      apiVersion: example.com/v1
      kind: Thing
      metadata: {name: thing, namespace: n}
      spec:
        volumes: [{name: w}]
"""
TOP = """
resources: [../app]
components: [../more]
replicas: [{name: app, count: 5}]
generatorOptions: {disableNameSuffixHash: true, labels: {dashboard: "1"}}
configMapGenerator:
  - name: dashboards
    namespace: "n"
    files: [one.json, other.json=two.json]
    options: {annotations: {folder: Rouse}}
images:
  - {name: registry.example.com:5000/b, newName: here.example.com:5000/b, newTag: "2"}
  - {name: a, digest: "sha256:0"}
patches:
  - patch: |
      apiVersion: apps/v1
      kind: Deployment
      metadata: {name: app, namespace: n}
      spec:
        strategy: {type: Recreate}
        template:
          spec:
            containers:
              - name: one
                args: null
                env: [{name: C, value: "3"}, {name: A, value: "9"}]
              - name: new
                image: new:1
            volumes:
              - name: v
                emptyDir: {sizeLimit: 1Mi}
  - target: {kind: Deployment, name: a.*}
    patch: |
      - {op: add, path: /metadata/annotations, value: {a~b/c: d}}
      - {op: replace, path: /metadata/annotations/a~0b~1c, value: e}
      - {op: remove, path: /spec/template/spec/containers/0/env/0}
      - {op: add, path: /spec/template/spec/containers/0/env/-, value: {name: Z, value: z}}
"""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("namePrefix: x-\n", "namePrefix: not among"),
        ("resources: [absent.yaml]\n", "No such file"),
        ("resources: [app.yaml, same.yaml]\n", "there already"),
        ("resources: [broken.yaml]\n", "not valid YAML"),
        (
            "resources: [app.yaml]\npatches: [{patch: '[{op: remove, path: /a}]'}]\n",
            "needs a target",
        ),
        (
            "resources: [app.yaml]\n"
            "patches: [{target: {kind: Thing}, patch: '[{op: replace, path: /spec/b}]'}]\n",
            "replace /spec/b does not fit Thing thing",
        ),
        (
            "resources: [app.yaml]\n"
            "patches: [{target: {kind: Other}, patch: '[{op: remove, path: /spec}]'}]\n",
            "no object to patch",
        ),
        ("configMapGenerator: [{name: a, files: [app.yaml]}]\n", "disableNameSuffixHash"),
        ("configMapGenerator: [{name: a, literals: [b=c]}]\n", "only files"),
        ("labels: [{pairs: {a: b}, includeSelectors: true}]\n", "only pairs"),
    ],
)
def test_what_is_not_rendered_is_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "app.yaml").write_text(APP)
    (tmp_path / "same.yaml").write_text(APP)
    (tmp_path / "broken.yaml").write_text("a: [")
    (tmp_path / "kustomization.yaml").write_text(text)
    with pytest.raises(ConfigError, match=said):
        render(tmp_path)


def test_a_folder_without_kustomization_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no kustomization"):
        render(tmp_path)
