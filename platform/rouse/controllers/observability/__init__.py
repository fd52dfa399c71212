"""What a controller process tells of itself: metrics, health, logs, profiles.

Nothing here decides anything: what is observed belongs to `rouse.kube` and the controllers.
"""
