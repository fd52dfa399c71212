"""Kubernetes' own parts that mode Standard needs: Services' endpoints, autoscalers, a scheduler.

What belongs here: what the controller manager of a cluster does besides Deployments. What does
not: Knative's objects, and Services without a selector, whose endpoints somebody else writes.
"""
