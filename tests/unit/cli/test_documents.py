"""The page about these commands lists the settings there are, and its example is valid."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import yaml
from pydantic.alias_generators import to_camel

from rouse.compiler.config import Config

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "compile.md").read_text(encoding="utf-8")


def test_every_setting_is_documented_and_no_other() -> None:
    table = PAGE.partition("| Key | Default | |")[2].partition("```")[0]
    first_cells = [row.split("|")[1] for row in table.splitlines() if row.startswith("|")]
    keys = set(re.findall(r"`(\w+)`", " ".join(first_cells)))
    assert keys == {to_camel(field.name) for field in dataclasses.fields(Config)}


def test_the_example_is_a_valid_configuration() -> None:
    [example] = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    config = Config.from_config_map(yaml.safe_load(example))
    assert config.node_pools["gpu"].resources == ("nvidia.com/gpu",)
