"""What to download where, for any listing."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predictors.serving.errors import StorageError
from predictors.storage.plan import (
    Listing,
    RemoteFile,
    make_plan,
    revision_of,
    safe_path,
    select,
)


def listing(*names: str, size: int = 10) -> Listing:
    return Listing(tuple(RemoteFile(name, name, size) for name in names), "1")


@given(st.integers(0, 10**12), st.integers(1, 10**9))
def test_parts_are_all_of_a_file_and_nothing_twice(size: int, part: int) -> None:
    (download,) = make_plan(listing("m", size=size), part).downloads
    reached = 0
    for start, end in download.parts:
        assert start == reached
        assert end is not None
        assert end > start
        reached = end
    assert reached == size
    assert len(download.parts) <= 10_000


@given(st.text())
def test_no_name_leaves_its_folder(name: str) -> None:
    try:
        path = safe_path(name)
    except StorageError:
        return
    assert PurePosixPath("/x") in PurePosixPath("/x", path).parents
    assert ".." not in path.parts


@given(st.lists(st.text(alphabet="ab/.", min_size=1, max_size=6), min_size=1, max_size=6))
def test_a_plan_can_be_carried_out_or_is_refused(names: list[str]) -> None:
    try:
        plan = make_plan(listing(*names), 100)
    except StorageError:
        return
    targets = [each.target for each in plan.downloads]
    assert len(set(targets)) == len(names)
    assert not any(one in other.parents for one in targets for other in targets)


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("iris", {"1/w": "iris/1/w", "c": "iris/c"}),
        ("iris/", {"1/w": "iris/1/w", "c": "iris/c"}),
        ("iris/1/w", {"w": "iris/1/w"}),
        ("", {"iris/1/w": "iris/1/w", "iris/c": "iris/c", "iris2": "iris2"}),
        ("ir", {}),
        ("iris2", {"iris2": "iris2"}),
    ],
)
def test_a_path_means_an_object_or_a_folder(path: str, wanted: dict[str, str]) -> None:
    objects = [RemoteFile("", key, 1) for key in ("iris/", "iris/c", "iris/1/w", "iris2")]
    assert {each.path: each.key for each in select(objects, path)} == wanted


def test_only_a_single_archive_is_unpacked() -> None:
    one, two = (RemoteFile("", f"m/{name}.tar.gz", 1) for name in "ab")
    assert select([one], "m")[0].unpack is not None
    assert not any(each.unpack for each in select([one, two], "m"))


def test_what_cannot_be_is_refused() -> None:
    for names, reason in (
        ((), "no file at this location"),
        (("a", "a"), "holds a twice"),
        (("a", "a/b"), "a file and a folder named a"),
        (("../a",), "outside its folder"),
    ):
        with pytest.raises(StorageError, match=reason):
            make_plan(listing(*names), 10)


def test_a_revision_needs_a_tag_of_every_file() -> None:
    tagged, bare = RemoteFile("a", "a", 1, "t"), RemoteFile("b", "b", 1)
    assert revision_of((tagged,)) != revision_of((RemoteFile("a", "a", 1, "u"),))
    assert revision_of((tagged, bare)) == ""
