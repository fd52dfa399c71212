"""Where a model's files are, and how they come to this machine.

Here belong locations (`uris`), what is to be had there (`sources`), what to download (`plan`),
downloading it (`transfer`), unpacking (`archives`) and keeping it on a node (`cache`). What a
framework makes of the files does not.

A local path is used in place and imports nothing but this and `fetching`: that is the way of every
wake-up. Everything that speaks to a network is imported when a location asks for it.
"""

from predictors.storage.fetching import Progress, fetched
from predictors.storage.local import find_one
from predictors.storage.uris import redacted, resolved

__all__ = ["Progress", "fetched", "find_one", "redacted", "resolved"]
