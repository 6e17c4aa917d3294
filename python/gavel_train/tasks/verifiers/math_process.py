"""A process that compares mathematics (`python -m` this module), and how it is asked.

A line of JSON each way: [completion, truth] in, [equal, read] out. It starts with the first question and
ends with its standard input, so also when its parent is killed. One question is asked at a time.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import threading
from typing import Any

# Of the processor, so that a busy machine makes no answer wrong; math-verify needs a few milliseconds.
_ANSWER_CPU_S = 3.0
# Of the clock: when a process that has been stopped, or whose machine has no time for it, is given up.
_SILENT_S = 300.0
# sympy and its imports take 0.2 GB.
_MEMORY_BYTES = 2 * 2**30
_OUT_OF_MEMORY = 3
# Whoever kills it for another reason, say because the machine has no memory left, must make no answer wrong.
_TRIES = 3


class TooSlow(Exception):
    """The comparison needed more processor time or memory than it gets."""


class _Process:
    """The running process and its pipes."""

    def __init__(self) -> None:
        self._child = subprocess.Popen(
            [sys.executable, "-m", __spec__.name if __name__ == "__main__" else __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            # The folder of this package may be on the path of this process alone; GPUs are the trainer's.
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "CUDA_VISIBLE_DEVICES": ""},
        )
        self._unread = b""
        self._silent = False
        if self._line() is None:
            raise RuntimeError(
                "Expected the process of verifier math to start, but it ended: is math-verify installed? "
                "`npm run setup` installs it."
            )

    def ask(self, question: str) -> list[Any] | None:
        """Return the answer, None where the process has ended instead."""
        assert self._child.stdin is not None
        try:
            self._child.stdin.write(question.encode() + b"\n")
            self._child.stdin.flush()
        except OSError:
            self.end()
            return None
        line = self._line()
        return None if line is None else json.loads(line)

    @property
    def was_at_a_limit(self) -> bool:
        """Whether a process that has ended was ended by one of its limits."""
        return self._silent or self._child.returncode in (-signal.SIGPROF, _OUT_OF_MEMORY)

    def end(self) -> None:
        """End it: what it computes may not heed a signal that can be handled."""
        if self._silent:
            self._child.kill()
        self._child.wait()
        for pipe in (self._child.stdin, self._child.stdout):
            assert pipe is not None
            try:
                pipe.close()
            except OSError:
                # What was written to it last and not sent.
                continue

    def _line(self) -> bytes | None:
        assert self._child.stdout is not None
        fd = self._child.stdout.fileno()
        while b"\n" not in self._unread:
            ready, _, _ = select.select([fd], [], [], _SILENT_S)
            self._silent = not ready
            part = os.read(fd, 65536) if ready else b""
            if not part:
                self.end()
                return None
            self._unread += part
        line, _, self._unread = self._unread.partition(b"\n")
        return line


_running: _Process | None = None
_owner = os.getpid()
_lock = threading.Lock()


def ask(completion: str, truth: str) -> tuple[bool, str | None]:
    """Return whether the answer of a completion equals the truth, and what was read as the answer.

    Raises TooSlow where the process needed too much time or memory; the next question starts another one.
    """
    global _running, _owner
    with _lock:
        if _owner != os.getpid():
            # A forked process must not share the pipes of its parent.
            _running, _owner = None, os.getpid()
        for _ in range(_TRIES):
            asked = _running = _running or _Process()
            answer = asked.ask(json.dumps([completion, truth]))
            if answer is not None:
                return bool(answer[0]), answer[1]
            _running = None
            if asked.was_at_a_limit:
                limits = f"{_ANSWER_CPU_S:g} s of the processor or more than {_MEMORY_BYTES / 2**30:g} GiB"
                raise TooSlow(f"it took more than {limits}")
        raise TooSlow(f"the process that compares was killed {_TRIES} times")


def _serve() -> None:
    import resource

    from math_verify import parse, verify

    # Its own limit is an alarm in the main thread; that of the process holds whatever the text is.
    unlimited: dict[str, Any] = {"parsing_timeout": None}

    def mathematics(text: str, *, whole: bool) -> list[Any]:
        # A truth is mathematics as a whole, which LaTeX without its dollars does not show.
        bare = whole and "$" not in text and "boxed" not in text
        ways = [f"${text}$", text] if bare else [text]
        # Without the fallback, which gives text that is no mathematics as it is.
        found = (parse(way, fallback_mode="no_fallback", **unlimited) for way in ways)
        return next((one for one in found if one), [])

    # Ends the process in the middle of a multiplication too, since nothing handles it.
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    # The first comparison loads the grammar of LaTeX.
    verify(mathematics("1", whole=True), mathematics("$2$", whole=True), timeout_seconds=None)
    out = os.dup(1)
    # What a library prints must not look like an answer.
    os.dup2(2, 1)
    os.write(out, b"ready\n")
    for line in sys.stdin:
        completion, truth = json.loads(line)
        signal.setitimer(signal.ITIMER_PROF, _ANSWER_CPU_S)
        try:
            found = mathematics(completion, whole=completion == truth)
            equal = bool(found) and verify(mathematics(truth, whole=True), found, timeout_seconds=None)
            read = str(found[0]) if found else None
        except MemoryError:
            sys.exit(_OUT_OF_MEMORY)
        except Exception:
            equal, read = False, None
        signal.setitimer(signal.ITIMER_PROF, 0)
        os.write(out, json.dumps([equal, read]).encode() + b"\n")


if __name__ == "__main__":
    _serve()
