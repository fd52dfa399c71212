"""How a model comes to the container that serves it.

Here belong locations, mounts, credentials, and what the pod webhook is told. Fetching does not: it
is done by the predictors and by the storage initializer, in the pod.
"""

from rouse.compiler.storage.attach import attach, is_read_only, with_credentials
from rouse.compiler.storage.containers import matching_container
from rouse.compiler.storage.credentials import Access, access_of, from_secret
from rouse.compiler.storage.facts import NO_FACTS, Facts
from rouse.compiler.storage.known import check_storage
from rouse.compiler.storage.names import MODEL_PATH, READ_ONLY_ANNOTATION
from rouse.compiler.storage.spec import Entry, Location, Storage, from_entry, storage_of

__all__ = [
    "MODEL_PATH",
    "NO_FACTS",
    "READ_ONLY_ANNOTATION",
    "Access",
    "Entry",
    "Facts",
    "Location",
    "Storage",
    "access_of",
    "attach",
    "check_storage",
    "from_entry",
    "from_secret",
    "is_read_only",
    "matching_container",
    "storage_of",
    "with_credentials",
]
