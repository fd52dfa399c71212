"""The embedded Knative Serving: Service to Revision, Route, autoscaling and the activator."""
