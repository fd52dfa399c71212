"""Who owns which field: server-side apply and the record of ordinary writes.

Ownership is kept in ``metadata.managedFields`` in the FieldsV1 form, per manager, operation,
version and subresource. Functions here take objects and return objects; what they are given is
never changed, and parts that did not change are shared.
"""

from rouse.embedded.apiserver.managedfields.apply import apply_patch, update_managed_fields
from rouse.embedded.apiserver.managedfields.conflicts import ApplyConflictError

__all__ = ["ApplyConflictError", "apply_patch", "update_managed_fields"]
