"""Rouse: serverless inference. Models sleep at zero and wake in the time physics allows.

The rooms, lowest layer first: `errors`, `api` -> `compiler`, `autoscaler`, `coldstart` -> `kube` ->
`controllers`, `embedded`, `registry`, `rollout` -> `sdk`, `cli`, `console`. Imports never point up.
"""

__version__ = "0.1.0"
