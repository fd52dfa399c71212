"""The mode Standard (KServe's RawDeployment): plain Deployments, Services and autoscalers.

A component has one Deployment, and a new template is rolled out as `deploymentStrategy` says.
Requests are split only between a predictor and its named canaries (spec.canary).
"""

from rouse.compiler.standard.compile import compile_standard

__all__ = ["compile_standard"]
