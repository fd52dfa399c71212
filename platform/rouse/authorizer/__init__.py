"""Checks API keys for the gateway: Envoy's external authorization over HTTP.

What is here knows policies and Secrets, and answers one question at a time; it makes neither. The
embedded engine runs it in its own process, a cluster as `rouse authorizer`.
"""

from rouse.authorizer.authorizer import Authorizer
from rouse.authorizer.decision import Verdict, decide
from rouse.authorizer.hosts import HostTable, Protected

__all__ = ["Authorizer", "HostTable", "Protected", "Verdict", "decide"]
