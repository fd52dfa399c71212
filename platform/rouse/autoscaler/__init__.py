"""The arithmetic of the Knative autoscaler: (stats, spec, now) -> wanted scale. Pure."""
