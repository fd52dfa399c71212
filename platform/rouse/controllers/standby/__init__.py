"""Standby pods: a framework imported and no model, taken by a service that wakes, in mode Standard.

Here belong how many there are, what they look like, and how one becomes a replica. What waits in
the pod is `predictors.serving.standby`; on the embedded engine warm parents do all this.
"""

from rouse.controllers.standby.build import Parts, make_standby

__all__ = ["Parts", "make_standby"]
