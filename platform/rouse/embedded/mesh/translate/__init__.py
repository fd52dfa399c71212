"""Kubernetes objects in, Envoy configuration out. Pure: no files, sockets or clocks."""
