"""InferenceGraph + the InferenceServices it names + config + what was observed -> wanted objects.

Here belongs what a graph's router is and how requests come to it. What a router does with a
request does not: that is `predictors.graph`, a process that knows nothing of the platform.
"""

from rouse.compiler.graph.compile import compile_graph, compile_graph_object, refuse_graph

__all__ = ["compile_graph", "compile_graph_object", "refuse_graph"]
