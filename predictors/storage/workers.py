"""Tasks on a few threads, until all are done or one has failed.

The threads are daemons, unlike those of concurrent.futures: a server told to stop does not wait
for a model that is still on its way.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence

__all__ = ["run_all"]

Task = Callable[[], None]


def run_all(tasks: Sequence[Task], threads: int, stop: threading.Event) -> None:
    """Run every task; raises what the first one to fail raised, the others are stopped then.

    ``stop`` is set on any failure, and tasks look at it; it is also the caller's to set.
    """
    waiting: queue.SimpleQueue[Task] = queue.SimpleQueue()
    for task in tasks:
        waiting.put(task)
    failures: list[BaseException] = []

    def work() -> None:
        while not stop.is_set():
            try:
                task = waiting.get_nowait()
            except queue.Empty:
                return
            try:
                task()
            except BaseException as error:
                failures.append(error)
                stop.set()

    count = min(threads, len(tasks))
    if count <= 1:
        work()
    else:
        crew = [threading.Thread(target=work, name=f"fetch-{n}", daemon=True) for n in range(count)]
        for thread in crew:
            thread.start()
        try:
            for thread in crew:
                thread.join()
        except BaseException:
            stop.set()
            raise
    if failures:
        raise failures[0]
