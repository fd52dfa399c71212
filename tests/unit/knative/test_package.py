"""The rooms say what they offer, and have it."""

from __future__ import annotations

import importlib
import pkgutil

import pytest

import rouse.autoscaler
import rouse.coldstart
import rouse.embedded.knative

ROOMS = (rouse.autoscaler, rouse.coldstart, rouse.embedded.knative)
MODULES = [
    found.name
    for room in ROOMS
    for found in pkgutil.walk_packages(room.__path__, f"{room.__name__}.")
]


@pytest.mark.parametrize("name", [*(room.__name__ for room in ROOMS), *MODULES])
def test_all_is_true(name: str) -> None:
    module = importlib.import_module(name)
    offered = getattr(module, "__all__", [])
    assert len(offered) == len(set(offered))
    assert [one for one in offered if not hasattr(module, one)] == []
    assert module.__doc__
