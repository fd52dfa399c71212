from __future__ import annotations

import io
from pathlib import Path

import pytest

from rouse.errors import InvalidError
from rouse.sdk.documents import load_documents

ONE = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one}\n"
TWO = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: two}\n"


def names(text: str) -> list[str]:
    return [document["metadata"]["name"] for document in load_documents(io.StringIO(text))]


def test_documents_come_in_order_and_empty_ones_are_passed_over() -> None:
    assert names(f"---\n{ONE}---\n---\n{TWO}") == ["one", "two"]


def test_json_is_yaml_too() -> None:
    assert names('{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}}') == ["p"]


def test_a_list_counts_as_its_items() -> None:
    text = (
        "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Pod, metadata: {name: a}}\n"
    )
    assert names(text) == ["a"]


def test_a_folder_is_read_in_the_order_of_its_names(tmp_path: Path) -> None:
    (tmp_path / "b.yml").write_text(TWO)
    (tmp_path / "a.yaml").write_text(ONE)
    (tmp_path / "notes.txt").write_text("not: [yaml")
    found = load_documents(tmp_path)
    assert [document["metadata"]["name"] for document in found] == ["one", "two"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ["no Kubernetes object"]),
        ("a: [1", ["not valid YAML", "line 1"]),
        ("- 1\n", ["a mapping is wanted, not list"]),
        ("kind: Pod\n", ["apiVersion: required"]),
        (f"{ONE}---\napiVersion: v1\nkind: Pod\n", ["document 2", "metadata.name"]),
        ("!!python/object/apply:os.system [ls]\n", ["not valid YAML"]),
    ],
)
def test_what_is_wrong_is_named(text: str, words: list[str]) -> None:
    with pytest.raises(InvalidError) as raised:
        load_documents(io.StringIO(text))
    for word in words:
        assert word in str(raised.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidError, match=r"absent\.yaml: No such file"):
        load_documents(tmp_path / "absent.yaml")


def test_a_binary_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "model.yaml").write_bytes(b"\x80\x04\x95")
    with pytest.raises(InvalidError, match=r"model\.yaml: not a text file"):
        load_documents(tmp_path / "model.yaml")
