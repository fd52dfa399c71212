"""The single-machine engine: API server, Knative, mesh and node. Never imported by controllers."""
