"""The embedded Knative Serving: Service to Revision, Route, autoscaling and the activator.

Here belong the controllers of Knative's objects, the replicas they run at, and the activator that
holds requests at zero. How a process is started is the node's, how a request travels the mesh's.
"""

from rouse.embedded.knative.engine import KnativeEngine

__all__ = ["KnativeEngine"]
