"""The table of images agrees with the runtimes, the embedded node and the code's imports."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from rouse.embedded.node.images import BUILT_IN
from scripts.images.dockerfiles import ROOT
from scripts.images.inside.stages import requirements
from scripts.images.table import IMAGES, Image, named
from scripts.images.wheels import wanted

REGISTRY = "ghcr.io/rouse/"
BY_NAME = {image.name: image for image in IMAGES}
PREDICTORS = [image for image in IMAGES if image.name.endswith("server")]
TABULAR = [image for image in PREDICTORS if image.name != "customserver"]
HEAVY = {
    "pandas",
    "kubernetes",
    "fastapi",
    "pydantic",
    "httpx",
    "grpc",
    "opentelemetry",
    "requests",
}


def containers() -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """(runtime's name, its annotations, container) of Rouse's own images."""
    for file in sorted((ROOT / "manifests/runtimes").glob("*.yaml")):
        for runtime in yaml.safe_load_all(file.read_text()):
            notes = runtime["metadata"].get("annotations", {}) | runtime["spec"].get(
                "annotations", {}
            )
            for container in runtime["spec"]["containers"]:
                if container["image"].startswith(REGISTRY):
                    yield runtime["metadata"]["name"], notes, container


def test_runtimes_use_images_of_the_table_and_their_command() -> None:
    seen = set()
    for runtime, notes, container in containers():
        name = container["image"].removeprefix(REGISTRY).partition(":")[0]
        assert name in BY_NAME, f"{runtime}: {name} is not in scripts/images/table.py"
        command = json.loads(notes["embedded.rouse.dev/command"])
        assert command == ["{python}", "-m", BY_NAME[name].module], runtime
        assert "command" not in container, "the image's ENTRYPOINT is the command"
        ports = {port["containerPort"] for port in container["ports"]}
        assert ports <= set(BY_NAME[name].ports), runtime
        seen.add(name)
    assert seen == {image.name for image in PREDICTORS}


def test_the_embedded_node_runs_the_same_modules() -> None:
    node = {name.removeprefix(REGISTRY): command for name, command in BUILT_IN.items()}
    table = {image.name: image for image in IMAGES if image.module != "rouse"}
    assert set(node) == set(table)
    for name, command in node.items():
        assert command.argv == ("{python}", "-m", table[name].module)


class Run(ast.NodeTransformer):
    """Leaves out what only type checkers see."""

    def visit_If(self, node: ast.If) -> ast.AST | None:
        if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            return None
        return self.generic_visit(node)


@cache
def imports(file: Path) -> frozenset[str]:
    """The modules of the project that a file imports, as paths: ``predictors/serving/logs``."""
    return frozenset(imported(ast.parse(file.read_text())))


def imported(module: ast.Module) -> Iterator[str]:
    for node in ast.walk(Run().visit(module)):
        names = []
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            submodules = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [node.module, *(name for name in submodules if source_of(path_of(name)))]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        for name in names:
            if name.partition(".")[0] in ("predictors", "transformers_pre", "rouse"):
                yield path_of(name)


def path_of(module: str) -> str:
    path = module.replace(".", "/")
    return f"platform/{path}" if path.partition("/")[0] == "rouse" else path


def source_of(path: str) -> Path | None:
    candidates = (ROOT / f"{path}.py", ROOT / path / "__init__.py")
    return next((file for file in candidates if file.exists()), None)


@pytest.mark.parametrize("image", IMAGES, ids=lambda image: image.name)
def test_what_an_image_imports_is_in_it(image: Image) -> None:
    sources: set[Path] = set()
    for package in image.packages:
        path = ROOT / package
        sources |= {path} if path.is_file() else set(path.rglob("*.py"))
    for file in sources:
        for module in imports(file):
            assert source_of(module) in sources, (
                f"{file.relative_to(ROOT)} imports {module}, which {image.name} does not have"
            )


@pytest.mark.parametrize("image", TABULAR, ids=lambda image: image.name)
def test_what_nothing_needs_is_not_imported_on_the_way_to_an_answer(image: Image) -> None:
    # Only of what the image has: scikit-learn imports pandas where that is installed.
    script = f"""
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name == "pandas":
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Absent())
import predictors.serving.server
from {image.module}.runtime import RUNTIME
RUNTIME.prepare()
print(*{{name.partition('.')[0] for name in sys.modules}})
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=50
    )
    assert done.returncode == 0, done.stderr
    assert not HEAVY & set(done.stdout.split())


@pytest.mark.parametrize("name", ["sklearnserver", "xgboostserver", "lightgbmserver", "onnxserver"])
def test_pandas_is_not_installed_where_scikit_learn_would_import_it(name: str) -> None:
    found = [line for line in wanted(ROOT, BY_NAME[name]) if line.startswith("pandas")]
    assert found == []


def test_extras_that_name_extras_have_their_requirements() -> None:
    project = {
        "name": "rouse",
        "optional-dependencies": {"a": ["x>=1"], "b": ["rouse[a]", "y"], "c": ["rouse[a, b]", "z"]},
    }
    assert requirements(project, ["c"]) == ["x>=1", "y", "z"]


def test_every_requirement_of_an_image_is_pinned() -> None:
    pinned = {
        line.partition("==")[0].lower()
        for line in (ROOT / "constraints.txt").read_text().splitlines()
    }
    for image in IMAGES:
        for requirement in wanted(ROOT, image):
            bare = requirement.partition(";")[0]
            name = bare.translate(str.maketrans("<>=!~[", "      ")).split()[0]
            assert name.lower() in pinned, f"{image.name}: {requirement}"


def test_names_and_their_short_forms() -> None:
    assert [image.name for image in named(["sklearn", "controller"])] == [
        "sklearnserver",
        "controller",
    ]
    assert named([]) == IMAGES
    with pytest.raises(ValueError, match=r"no image is named 'java'; there are: sklearnserver, "):
        named(["java"])
