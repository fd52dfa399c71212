"""The engine as a whole: starting it in the background, owning its parts, stopping it cleanly.

What belongs here: process supervision, ports, the engine's own state file. What does not: what the
parts do (`apiserver`, `knative`, `mesh`, `node`).
"""
