"""Bringing the API to what was compiled, for controllers of kinds that own what they make.

Here belongs how it is written, what is refused, and how often drift is repaired. What is wanted
does not: that is the compiler's; nor when to look: that is each controller's.
"""

from rouse.controllers.writing.observing import observe_owned
from rouse.controllers.writing.ownership import NotOwnedError
from rouse.controllers.writing.repairs import WITHIN
from rouse.controllers.writing.writer import DRIFT_REPEATS, Copies, Pass, Writer

__all__ = ["DRIFT_REPEATS", "WITHIN", "Copies", "NotOwnedError", "Pass", "Writer", "observe_owned"]
