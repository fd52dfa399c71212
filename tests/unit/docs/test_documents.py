"""Documentation is held to the code: commands, options, targets, paths and Python in it exist."""

from __future__ import annotations

import itertools
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from rouse.cli.main import rouse

ROOT = Path(__file__).resolve().parents[3]
PAGES = sorted(
    page
    for page in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *ROOT.glob("*/*/README.md"))
    if ".venv" not in page.parts
)
FENCE = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?://|#)([^)#]+)")
NAMED = re.compile(
    r"`((?:platform|predictors|examples|scripts|manifests|tests|perf|docs)/[\w./-]+)`"
)


def blocks(language: str) -> Iterator[tuple[Path, str]]:
    for page in PAGES:
        for found, text in FENCE.findall(page.read_text()):
            if found == language:
                yield page, text


def commands() -> Iterator[tuple[Path, list[str]]]:
    for page, text in blocks("console"):
        for line in text.replace("\\\n", " ").splitlines():
            if line.startswith("$ "):
                argv = shlex.split(line[2:], comments=True)
                # What comes after belongs to the shell, or is another command.
                yield page, list(itertools.takewhile(lambda word: word not in (">", "|"), argv))


def test_there_is_documentation() -> None:
    assert ROOT / "README.md" in PAGES
    assert list(commands())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_and_named_paths_exist(page: Path) -> None:
    text = page.read_text()
    for target in LINK.findall(text):
        assert (page.parent / target).exists(), f"{page}: no {target}"
    for named in NAMED.findall(text):
        assert (ROOT / named).exists(), f"{page}: no {named}"


def test_rouse_commands_parse() -> None:
    for page, argv in commands():
        if argv[:1] != ["rouse"]:
            continue
        command = rouse.commands.get(argv[1])
        assert command is not None, f"{page}: no command {argv}"
        try:
            command.make_context(argv[1], list(argv[2:]))
        except click.exceptions.Exit:
            pass  # --help
        except click.ClickException as error:
            pytest.fail(f"{page}: {shlex.join(argv)}: {error.format_message()}")


def test_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for page, argv in commands():
        if argv[:1] == ["make"]:
            assert re.search(rf"^{argv[1]}:", makefile, re.MULTILINE), f"{page}: no {argv}"


def test_python_examples_compile() -> None:
    for page, text in blocks("python"):
        compile(text, str(page), "exec")
