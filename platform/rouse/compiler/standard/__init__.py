"""The mode Standard (KServe's RawDeployment): plain Deployments, Services and autoscalers.

A component has one Deployment, so there is nothing to split requests between: a new template is
rolled out as `deploymentStrategy` says.
"""

from rouse.compiler.standard.compile import compile_standard

__all__ = ["compile_standard"]
