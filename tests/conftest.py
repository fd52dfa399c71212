"""What all tests share."""

from __future__ import annotations

import gc


def pytest_collection_finish() -> None:
    """Set apart what collection made, which lives to the end of the run.

    Half a million objects: otherwise each full garbage collection walks them all, for a third of
    a second, and tests that make much garbage run ten times slower in the whole suite than alone.
    """
    gc.collect()
    gc.freeze()
