"""OpenAPI documents of what is served: version 2 for older kubectl, version 3 for newer.

kubectl reads them for ``explain``, for the checks and three-way patches of ``apply``, and to learn
whether ``dryRun`` and ``fieldValidation`` are understood.
"""

from rouse.embedded.apiserver.openapi.resources import ResourceDescription
from rouse.embedded.apiserver.openapi.v2 import openapi_v2_json, openapi_v2_protobuf
from rouse.embedded.apiserver.openapi.v3 import openapi_v3_group, openapi_v3_index

__all__ = [
    "ResourceDescription",
    "openapi_v2_json",
    "openapi_v2_protobuf",
    "openapi_v3_group",
    "openapi_v3_index",
]
