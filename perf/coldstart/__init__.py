"""Waking from zero: what it takes here, beside its limit and a start as a process."""

from perf.coldstart.waking import service, wait_asleep, wake

__all__ = ["service", "wait_asleep", "wake"]
