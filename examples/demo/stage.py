"""How the demo speaks: headings, commands with their output, and checks that may fail."""

from __future__ import annotations

import shlex
import subprocess
import sys
import textwrap
from dataclasses import dataclass, field

from perf.harness import Engine, kubectl_path


@dataclass
class Stage:
    """Prints what happens and remembers what did not hold."""

    failed: list[str] = field(default_factory=list)
    figures: list[tuple[str, str]] = field(default_factory=list)

    def heading(self, text: str) -> None:
        print(f"\n\033[1m{text}\033[0m" if sys.stdout.isatty() else f"\n== {text}", flush=True)

    def say(self, text: str) -> None:
        print(textwrap.indent(text.rstrip(), "  "), flush=True)

    def check(self, holds: bool, claim: str) -> None:
        """State a claim; a false one is shown, remembered, and fails the demo at its end."""
        self.say(f"{'ok  ' if holds else 'FAIL'} {claim}")
        if not holds:
            self.failed.append(claim)

    def figure(self, name: str, value: str) -> None:
        """A measured figure for the closing table."""
        self.figures.append((name, value))

    def close(self) -> int:
        """Print the figures and the verdict; the exit code."""
        self.heading("Measured")
        width = max((len(name) for name, _ in self.figures), default=0)
        for name, value in self.figures:
            self.say(f"{name:<{width}}  {value}")
        print()
        if self.failed:
            self.say("These did not hold:")
            for claim in self.failed:
                self.say(f"- {claim}")
            return 1
        self.say("Everything held.")
        return 0


class Terminal:
    """Runs commands as a user types them and shows them with what they print."""

    def __init__(self, stage: Stage, engine: Engine) -> None:
        self._stage = stage
        self._engine = engine
        self.kubectl = kubectl_path()

    def run(self, *argv: str, shown: str | None = None) -> str:
        """Show and run a command; a failing one is a failed check. Returns its output."""
        self._stage.say(f"$ {shown or shlex.join(argv)}")
        done: subprocess.CompletedProcess[str] = self._engine.command(list(argv), check=False)
        self._stage.say(done.stdout + done.stderr)
        if done.returncode:
            self._stage.check(False, f"`{shown or shlex.join(argv)}` ends well")
        return done.stdout

    def rouse(self, *args: str) -> str:
        """A `rouse` command."""
        return self.run(sys.executable, "-m", "rouse", *args, shown=shlex.join(("rouse", *args)))

    def kube(self, *args: str, fallback: tuple[str, ...]) -> str:
        """A kubectl command, or the `rouse` one that does the same where there is no kubectl."""
        if self.kubectl is None:
            return self.rouse(*fallback)
        return self.run(self.kubectl, *args, shown=shlex.join(("kubectl", *args)))
