"""The router of an InferenceGraph: one request in, the services of the graph asked, one answer out.

Belongs here: what a graph means (`spec`, `routing`, both without I/O), asking services over HTTP
(`upstream`) and the process around it. Does not: anything of a model or a framework, and anything
that looks into Kubernetes; the controller resolves names to URLs.
"""
