"""What every process of Rouse on a cluster has: probes, metrics, logs, profiles, an orderly end.

Nothing here decides anything or knows any kind: what is observed belongs to the process itself.
"""
