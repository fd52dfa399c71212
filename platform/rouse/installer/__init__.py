"""Rouse on a cluster: what is installed, how it gets there, and whether it is well.

Here belongs what turns ``manifests/`` into objects, applies them in order, removes them, and looks
at an installation. What runs on the cluster afterwards does not: that is `rouse.controllers` and
`rouse.webhook`.
"""
