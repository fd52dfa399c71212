"""LocalModelCache and its kin: which models each node keeps, and how far they are.

Here belong what the nodes of a group shall have (`wanted`, pure), the volumes through which pods
mount it (`volumes`, pure), and writing both. Fetching does not: that is for `rouse.agent`.
"""

from rouse.controllers.localmodel.build import Parts, make_local_models

__all__ = ["Parts", "make_local_models"]
