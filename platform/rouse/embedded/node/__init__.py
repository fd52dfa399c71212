"""The embedded node: Pods as local processes, warm parents, probes and logs."""
