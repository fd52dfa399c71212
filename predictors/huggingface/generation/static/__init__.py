"""Steps of a batch at fixed shapes and addresses, with nothing the host must wait for.

Belongs here: what makes a step one that can be recorded and played again. Does not: the reading of
prompts and the engine, which are those of every step.
"""

from predictors.huggingface.generation.static.choose import static_runner
from predictors.huggingface.generation.static.runner import StaticRunner

__all__ = ["StaticRunner", "static_runner"]
