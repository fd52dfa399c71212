"""When and where a model runs: at once in the event loop, in a thread, alone or joined.

Belongs here: joining requests and splitting answers (pure), queues, deadlines of what waits. Does
not belong here: protocols, and which models there are.
"""
