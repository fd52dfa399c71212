"""Balloons of node pools: what the settings ask for, and nothing else."""

from rouse.controllers.balloons.reconciler import KEY, Reconciler, Told, balloon_informer

__all__ = ["KEY", "Reconciler", "Told", "balloon_informer"]
