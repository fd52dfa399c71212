"""Processes the engine owns: started with vfork, in their own group, dying with the engine, reaped.

``setpriv --pdeathsig`` asks the kernel to kill the child when the engine dies, however it dies. It
costs 0.8 ms in the child; a ``preexec_fn`` would need a full fork that stops the event loop for
8 ms (measured with 150 MB resident) and runs Python between fork and exec.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from typing import Final, Literal

from rouse.errors import EngineError

__all__ = ["ExecProcess", "OwnedProcess", "StartError", "start_process"]

_KILL_WAIT_S: Final = 10.0


class StartError(EngineError):
    """A command cannot be started; ``reason`` is what a container's waiting state would say."""

    retryable = True

    def __init__(self, reason: Literal["CommandNotFound", "StartError"], message: str) -> None:
        super().__init__(f"{reason}: {message}")
        self.reason = reason
        self.message = message


class OwnedProcess:
    """A running process: wait for it, signal it, stop it. Made inside a running loop.

    ``exited`` ends with the exit code, or minus the signal that ended it.
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._loop = asyncio.get_running_loop()
        self.exited: asyncio.Future[int] = self._loop.create_future()
        try:
            # a pidfd never names another process, even after the pid is used again
            self._pidfd = os.pidfd_open(pid)
        except ProcessLookupError:  # a forked replica that is reaped already
            self._pidfd = -1
            self._loop.call_soon(self._finish)
        else:
            self._loop.add_reader(self._pidfd, self._on_exit)

    @property
    def alive(self) -> bool:
        """Whether it has not been reaped yet."""
        return not self.exited.done()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal; a process that is gone is not an error."""
        if self._pidfd >= 0:
            try:
                signal.pidfd_send_signal(self._pidfd, number)
            except ProcessLookupError:
                pass

    def kill(self) -> None:
        """SIGKILL to the process and its whole group."""
        if self._pidfd >= 0:  # else it has ended, and its number may be another's
            kill_group(self.pid)
            self.signal(signal.SIGKILL)

    async def wait(self) -> int:
        """Exit code, or minus a signal number."""
        return await asyncio.shield(self.exited)

    async def stop(self, grace_s: float) -> int:
        """SIGTERM, ``grace_s`` seconds, SIGKILL to the group. Of two calls the shorter wins."""
        self.signal(signal.SIGTERM)
        if grace_s > 0:
            try:
                async with asyncio.timeout(grace_s):
                    return await self.wait()
            except TimeoutError:
                pass
        self.kill()
        try:
            async with asyncio.timeout(_KILL_WAIT_S):
                return await self.wait()
        except TimeoutError as error:
            raise EngineError(
                f"process {self.pid} did not die of SIGKILL in {_KILL_WAIT_S:g} s; "
                "it hangs in the kernel: see its state in /proc"
            ) from error

    def _on_exit(self) -> None:
        self._release()
        self._finish()

    def _finish(self) -> None:
        raise NotImplementedError

    def _resolve(self, status: int) -> None:
        self._release()
        if not self.exited.done():
            self.exited.set_result(status)

    def _release(self) -> None:
        if self._pidfd >= 0:
            self._loop.remove_reader(self._pidfd)
            os.close(self._pidfd)
            self._pidfd = -1


class ExecProcess(OwnedProcess):
    """A child of this process."""

    def __init__(self, popen: subprocess.Popen[bytes]) -> None:
        self._popen = popen
        super().__init__(popen.pid)

    def _finish(self) -> None:
        # the unreaped leader still holds the group's number, so this can hit nobody else
        kill_group(self.pid)
        self._resolve(self._popen.wait())


def start_process(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: str,
    stdout: int = subprocess.DEVNULL,
    stderr: int = subprocess.DEVNULL,
    pass_fds: Sequence[int] = (),
) -> ExecProcess:
    """Start a command; it returns in a fraction of a millisecond, so it may run on the loop.

    Raises StartError.
    """
    program = shutil.which(argv[0], path=env.get("PATH", os.defpath))
    if program is None:
        raise StartError(
            "CommandNotFound",
            f'"{argv[0]}" is not an executable of this machine; install it or fix PATH',
        )
    try:
        popen = subprocess.Popen(
            [_setpriv(), "--pdeathsig", "KILL", "--", program, *argv[1:]],
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            env=dict(env),
            cwd=cwd,
            pass_fds=tuple(pass_fds),
            process_group=0,
        )
    except (OSError, ValueError) as error:
        raise StartError("StartError", f'cannot start "{argv[0]}" in {cwd}: {error}') from error
    return ExecProcess(popen)


def kill_group(pid: int) -> None:
    """SIGKILL to a process group; one that is empty or gone is not an error."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass


def _setpriv() -> str:
    found = shutil.which("setpriv")
    if found is None:
        raise StartError(
            "StartError",
            'the program "setpriv" is missing; install util-linux (2.32 or newer)',
        )
    return found
