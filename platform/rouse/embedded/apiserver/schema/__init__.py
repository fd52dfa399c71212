"""Structural schemas of the API's kinds: validation, pruning, defaulting, and how lists merge.

A `Schema` is made from the ``openAPIV3Schema`` of a CustomResourceDefinition, or taken from the
tables of the built-in kinds with `schema_for_builtin`. Server-side apply and strategic merge read
list types and merge keys from its nodes. Nothing here does I/O.
"""

from rouse.embedded.apiserver.schema.builtin import builtin_definition_name, builtin_definitions
from rouse.embedded.apiserver.schema.core import Schema, nearest, schema_for_builtin
from rouse.embedded.apiserver.schema.node import Node

__all__ = [
    "Node",
    "Schema",
    "builtin_definition_name",
    "builtin_definitions",
    "nearest",
    "schema_for_builtin",
]
