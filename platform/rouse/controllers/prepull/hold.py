"""python -m rouse.controllers.prepull.hold FILE: writes the program that keeps an image in use.

Images need not have a shell, or anything that waits. So their containers run this program, which a
first container puts into a shared volume: a static ELF file of some 150 bytes that waits for ever.
It ends by SIGKILL, as the first process of a container ignores SIGTERM that it does not handle.
"""

from __future__ import annotations

import platform
import struct
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

__all__ = ["main", "program"]

_BASE: Final = 0x400000
_HEADERS: Final = 64 + 56

_X86_64: Final = bytes.fromhex(
    "b822000000"  # mov eax, 34 (pause)
    "0f05"  # syscall
    "ebf7"  # jmp to the start
)
_AARCH64: Final = struct.pack(
    "<8I",
    *(0xD2800000 + register for register in range(5)),  # mov x0..x4, 0
    0xD2800928,  # mov x8, 73 (ppoll, of nothing and without an end)
    0xD4000001,  # svc 0
    0x17FFFFF9,  # b to the start
)
_MACHINES: Final[Mapping[str, tuple[int, bytes]]] = {
    "x86_64": (62, _X86_64),
    "aarch64": (183, _AARCH64),
}


def program(machine: str) -> bytes:
    """Return the ELF file for a machine as `platform.machine` calls it.

    Raises ValueError for one that is not known.
    """
    if machine not in _MACHINES:
        known = ", ".join(_MACHINES)
        raise ValueError(
            f"no program for {machine}, only for {known}: use image volumes there "
            "(prePull.imageVolumes)"
        )
    number, code = _MACHINES[machine]
    size = _HEADERS + len(code)
    identity = b"\x7fELF\x02\x01\x01" + bytes(9)
    header = struct.pack(
        "<HHIQQQIHHHHHH", 2, number, 1, _BASE + _HEADERS, 64, 0, 0, 64, 56, 1, 64, 0, 0
    )
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, _BASE, _BASE, size, size, 0x1000)
    return identity + header + segment + code


def main(argv: Sequence[str] | None = None) -> int:
    """Write the program of this machine to the one argument."""
    (target,) = sys.argv[1:] if argv is None else argv
    path = Path(target)
    path.unlink(missing_ok=True)
    path.write_bytes(program(platform.machine()))
    path.chmod(0o555)
    return 0


if __name__ == "__main__":
    sys.exit(main())
