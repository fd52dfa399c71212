"""Model servers. They know nothing of the platform: an image holds a model server and no more."""

import os
import signal
from contextlib import suppress

if os.getpid() == 1:
    # The first process of a container has no default for it: a pod that is deleted while it starts
    # would go on to the end of its grace period, for minutes. Servers replace this.
    with suppress(ValueError):  # not the main thread: whoever made the process handles its signals
        signal.signal(signal.SIGTERM, lambda *_: os._exit(128 + signal.SIGTERM))
