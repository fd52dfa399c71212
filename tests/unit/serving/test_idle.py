"""When a server gives memory back."""

from __future__ import annotations

from predictors.serving.idle import Idle, release


class Used:
    """Seconds of processor time, as a test says."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.released: list[float] = []

    def idle(self) -> Idle:
        return Idle(lambda: self.seconds, lambda: self.released.append(self.seconds))


def test_memory_is_released_once_when_a_busy_process_comes_to_rest() -> None:
    used = Used()
    idle = used.idle()
    for seconds in (1.0, 1.9, 1.9, 1.901, 1.902):
        used.seconds = seconds
        idle.sweep()
    assert used.released == [1.9]


def test_nothing_is_released_while_a_process_works_or_where_it_hardly_did() -> None:
    used = Used()
    idle = used.idle()
    for _ in range(5):
        used.seconds += 0.5
        idle.sweep()
    assert used.released == []

    used = Used()
    idle = used.idle()
    for seconds in (0.05, 0.051, 0.052):
        used.seconds = seconds
        idle.sweep()
    assert used.released == []


def test_after_more_work_there_is_more_to_release() -> None:
    used = Used()
    idle = used.idle()
    for seconds in (1.0, 1.0, 1.05, 1.05, 2.0, 2.0):
        used.seconds = seconds
        idle.sweep()
    assert used.released == [1.0, 2.0]


def test_the_allocator_is_asked_for_real() -> None:
    release()
