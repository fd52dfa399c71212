"""Cold starts: the ledger of activations and, later, residency and keep-alive plans. Pure."""

from rouse.coldstart.activation import ANNOTATION, PHASES, Activation

__all__ = ["ANNOTATION", "PHASES", "Activation"]
