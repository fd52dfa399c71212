"""InferenceGraph: observe it and its steps, compile, write what differs, drop the rest, tell.

What a graph means is decided in `rouse.compiler.graph`; here is only what reads and writes.
"""

from rouse.controllers.inferencegraph.build import NAME, Graphs, make_graphs
from rouse.controllers.inferencegraph.reconciler import Reconciler
from rouse.controllers.inferencegraph.sources import Sources

__all__ = ["NAME", "Graphs", "Reconciler", "Sources", "make_graphs"]
