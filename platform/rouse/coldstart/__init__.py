"""Cold starts: the ledger of activations, and plans to keep services awake. Pure."""

from rouse.coldstart.activation import ANNOTATION, PHASES, Activation

__all__ = ["ANNOTATION", "PHASES", "Activation"]
