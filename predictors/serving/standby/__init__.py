"""A predictor that waits for its model: framework imported, nothing served, nobody's replica yet.

Who may give it one is said by a public key; what it was given survives a restart of its container.
"""

from predictors.serving.standby.waiting import run_standby

__all__ = ["run_standby"]
