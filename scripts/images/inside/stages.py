"""Runs inside an image's build, with the base image's Python and nothing else.

``stages.py install [--extra NAME]... [--library REQUIREMENT]... [--base-dependencies]`` makes
/venv with libraries and Rouse's packages, in a folder with ``pyproject.toml``,
``constraints.txt``, ``src/`` (the packages) and perhaps wheels. /venv never holds pip: a second
environment installs into it. EXTRAS in the environment names further extras, between commas.

``stages.py finish`` makes a general base image one that only serves: what could install something
is removed, the standard library is byte-compiled (the official images carry no .pyc files), and
uid 1000 gets a name, which some libraries ask for.
"""

from __future__ import annotations

import argparse
import compileall
import os
import py_compile
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

TARGET: Final = Path("/venv")
MODELS: Final = Path("/mnt/models")
UID: Final = 1000
USER: Final = f"rouse:x:{UID}:{UID}:rouse:/tmp:/usr/sbin/nologin\n"

_INSTALLERS: Final = ("pip", "setuptools", "wheel", "pkg_resources", "_distutils_hack")
_UNUSED: Final = ("ensurepip", "idlelib", "turtledemo", "lib2to3", "test")
_WHEELS: Final = Path("/usr/share/python-wheels")


def main(argv: Sequence[str]) -> int:
    """Run one stage; non-zero when a file does not compile."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    stages = parser.add_subparsers(dest="stage", required=True)
    stages.add_parser("finish")
    add = stages.add_parser("install").add_argument
    add("--extra", action="append", default=[])
    add("--library", action="append", default=[])
    add("--base-dependencies", action="store_true")
    arguments = parser.parse_args(argv)
    if arguments.stage == "finish":
        return finish()
    build = Path.cwd()
    project = tomllib.loads((build / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    base = project["dependencies"] if arguments.base_dependencies else []
    extras = [*arguments.extra, *filter(None, os.environ.get("EXTRAS", "").split(","))]
    wanted = [*requirements(project, extras), *arguments.library, *base]
    return install(build, sorted(wanted))


def install(build: Path, wanted: Sequence[str]) -> int:
    """Make TARGET with `wanted` and the packages of ``build/src``."""
    pip_install(build, wanted)
    library = next(TARGET.glob("lib/python3*/site-packages"))
    shutil.copytree(build / "src", library, dirs_exist_ok=True)
    prune(library)
    done = compiled(library)
    level(TARGET)
    return 0 if done else 1


def finish() -> int:
    """Turn the stage's own root into that of a server."""
    paths = sysconfig.get_paths()
    library = Path(paths["stdlib"])
    for name in _UNUSED:
        shutil.rmtree(library / name, ignore_errors=True)
    # Debian's Python has its packages beside the library, the official image's inside it.
    for folder in {*library.glob("*-packages"), Path(paths["purelib"])}:
        remove_installers(folder)
    for program in Path(paths["scripts"]).glob("pip*"):
        program.unlink()
    shutil.rmtree(_WHEELS, ignore_errors=True)
    add_user(Path("/etc/passwd"))
    MODELS.mkdir(parents=True, exist_ok=True)
    os.chown(MODELS, UID, UID)
    return 0 if compiled(library) else 1


def requirements(project: dict[str, Any], extras: Iterable[str]) -> list[str]:
    """The requirements of extras; an extra that names others (``rouse[serving]``) has theirs."""
    own = re.compile(rf"{re.escape(project['name'])}\[([^\]]+)\]")
    found: dict[str, None] = {}
    for extra in extras:
        for requirement in project["optional-dependencies"][extra]:
            if match := own.fullmatch(requirement):
                named = [name.strip() for name in match[1].split(",")]
                found.update(dict.fromkeys(requirements(project, named)))
            else:
                found[requirement] = None
    return list(found)


def pip_install(build: Path, wanted: Sequence[str]) -> None:
    """Make TARGET and install into it, versions by ``constraints.txt``, wheels of `build` first."""
    tools = build / "tools"
    venv.create(tools, with_pip=True)
    venv.create(TARGET, symlinks=True)
    command = [
        *(str(tools / "bin/pip"), "--python", str(TARGET / "bin/python"), "install"),
        *("--no-cache-dir", "--no-compile", "--disable-pip-version-check"),
        *("--only-binary", ":all:", "--find-links", str(build)),
        *("--constraint", str(build / "constraints.txt"), *wanted),
    ]
    subprocess.run(command, check=True)


def prune(library: Path) -> None:
    """Remove the libraries' own tests, a fifth of scikit-learn's image."""
    for folder in sorted(library.rglob("tests")):
        if folder.is_dir():
            shutil.rmtree(folder)


def compiled(folder: Path) -> bool:
    """Byte-compile all below `folder`; False when a file could not be.

    The running user cannot write, so an image without .pyc files compiles at every start. Pycs are
    not checked against their sources: no stat at import, and no modification time in the image.
    One process: the order of compilation is part of what they hold.
    """
    return bool(
        compileall.compile_dir(
            folder,
            quiet=1,
            force=True,
            maxlevels=64,
            invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
        )
    )


def level(folder: Path) -> None:
    """Give files the modes of umask 022: a checkout has those of the umask it was made with."""
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            executable = path.is_dir() or path.stat().st_mode & 0o100
            path.chmod(0o755 if executable else 0o644)


def remove_installers(folder: Path) -> None:
    """Remove pip and its like, with their metadata, from a folder of packages."""
    for name in _INSTALLERS:
        for found in (folder / name, *folder.glob(f"{name}-*-info")):
            shutil.rmtree(found, ignore_errors=True)


def add_user(passwd: Path) -> None:
    """Give uid 1000 a name, unless the base image has given it one."""
    text = passwd.read_text(encoding="utf-8") if passwd.exists() else ""
    if not any(line.split(":")[2:3] == ["1000"] for line in text.splitlines()):
        passwd.write_text(text + USER, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
