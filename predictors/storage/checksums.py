"""Whether a file is what its origin says."""

from __future__ import annotations

import hashlib
from pathlib import Path

from predictors.storage.errors import ChecksumError

__all__ = ["verify"]


def verify(path: Path, expected: str, name: str) -> None:
    """Raise `ChecksumError` naming the file unless its checksum is the expected one.

    ``expected`` is ``<algorithm>:<hex>``; ``git`` is SHA-1 of a blob as git counts it.
    """
    algorithm, _, wanted = expected.partition(":")
    with path.open("rb") as file:
        if algorithm == "git":
            head = f"blob {path.stat().st_size}\0".encode()

            def blob() -> hashlib._Hash:
                return hashlib.sha1(head, usedforsecurity=False)

            found = hashlib.file_digest(file, blob).hexdigest()
        else:
            found = hashlib.file_digest(file, algorithm).hexdigest()
    if found != wanted.lower():
        raise ChecksumError(
            f"{name}: its {algorithm} checksum is {found}, and should be {wanted}. The origin "
            "holds other bytes than it says, or they were changed on the way."
        )
