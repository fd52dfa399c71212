"""The bill of materials of an image."""

from __future__ import annotations

import json
from typing import Any

import pytest

from scripts.images.engines import Build
from scripts.images.revision import Revision
from scripts.images.sbom import document
from scripts.images.table import IMAGES

REVISION = Revision("0.1.0", "4e4c951", 1_795_262_083, dirty=False)
JOB = Build(IMAGES[0], "r.example:5000/sklearnserver:v1", REVISION)
INVENTORY: dict[str, Any] = {
    "python": "3.11.7",
    "libraries": [
        {"name": "Scikit_Learn", "version": "1.9.1", "license": "", "requires": ["numpy", "x"]},
        {"name": "numpy", "version": "2.4.6+b", "license": "BSD-3-Clause", "requires": []},
    ],
    "debian": [{"package": "libstdc++6", "version": "1:12.2.0-14"}],
}


def test_components_have_versions_and_package_urls() -> None:
    bill = document(JOB, "sha256:1", INVENTORY)
    assert [component["purl"] for component in bill["components"]] == [
        "pkg:generic/python@3.11.7",
        "pkg:pypi/scikit-learn@1.9.1",
        "pkg:pypi/numpy@2.4.6%2Bb",
        "pkg:deb/debian/libstdc%2B%2B6@1%3A12.2.0-14",
    ]
    assert bill["components"][2]["licenses"] == [{"expression": "BSD-3-Clause"}]
    assert bill["metadata"]["component"]["name"] == "r.example:5000/sklearnserver"
    assert bill["metadata"]["component"]["version"] == "v1"


def test_dependencies_name_components_that_are_there() -> None:
    bill = document(JOB, "sha256:1", INVENTORY)
    graph = {entry["ref"]: entry["dependsOn"] for entry in bill["dependencies"]}
    refs = {component["bom-ref"] for component in bill["components"]}
    assert len(refs) == len(bill["components"])
    assert set(graph["image"]) == refs
    assert graph["pkg:pypi/scikit-learn@1.9.1"] == ["pkg:pypi/numpy@2.4.6%2Bb"]


def test_the_same_image_has_the_same_bill() -> None:
    assert document(JOB, "sha256:1", INVENTORY) == document(JOB, "sha256:1", INVENTORY)
    other = document(JOB, "sha256:2", INVENTORY)
    assert other["serialNumber"] != document(JOB, "sha256:1", INVENTORY)["serialNumber"]


def test_it_is_valid_cyclonedx() -> None:
    validation = pytest.importorskip(
        "cyclonedx.validation.json", reason="cyclonedx-python-lib[json-validation] is not installed"
    )
    schema = pytest.importorskip("cyclonedx.schema").SchemaVersion.V1_6
    text = json.dumps(document(JOB, "sha256:1", INVENTORY))
    assert validation.JsonStrictValidator(schema).validate_str(text) is None
