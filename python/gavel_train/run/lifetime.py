"""A trainer never outlives the worker that started it, and stops soon when asked to.

The worker holds the write end of this process's standard input and never writes to it, so end of
file means that the worker is gone, however it died. Ranks started by a launcher inherit the same
pipe and see the same end.
"""

from __future__ import annotations

import faulthandler
import fcntl
import os
import signal
import stat
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

EXIT_PREEMPTED = 143
_PARENT_POLL_S = 1.0
# Slurm, Kubernetes and spot instances give 30 s; the worker needs the rest to report.
_NOTICE_GRACE_S = 20.0

_notice = threading.Event()
_deferrals = 0


class Preempted(BaseException):
    """SIGTERM arrived: stop now, and leave what is committed as it is.

    A BaseException, so that no `except Exception` in a library mistakes it for a failure of its own.
    """


class StopAtBoundary(BaseException):
    """A step is given up before it changed anything: the state is that of the last step boundary."""


def rank() -> int:
    """Return this process's rank among the trainer's processes; 0 without a launcher."""
    return int(os.environ.get("RANK", "0"))


def stop_requested() -> bool:
    """Return whether SIGTERM has arrived."""
    return _notice.is_set()


def watch() -> None:
    """Exit at once when the worker dies; turn SIGTERM into `Preempted` in the main thread.

    SIGUSR1 writes the stacks of all threads to the log: how the worker asks a hung process where it is.
    """
    faulthandler.register(signal.SIGUSR1, file=sys.stderr, all_threads=True)
    signal.signal(signal.SIGTERM, _on_sigterm)
    if stdin_is_a_lifeline():
        # One process can own the signal: ranks share their pipe, and have the threads.
        if "RANK" not in os.environ:
            have_the_kernel_kill_at_end_of_stdin(os.getpid())
        threading.Thread(target=_exit_at_end_of_stdin, name="gavel-stdin", daemon=True).start()
        threading.Thread(target=_exit_when_orphaned, name="gavel-parent", daemon=True).start()


@contextmanager
def deferring_sigterm() -> Iterator[None]:
    """Inside, SIGTERM only sets `stop_requested()`: the body promises to look at step boundaries.

    A body that does not reach a boundary within the grace period is ended where it is.
    """
    global _deferrals
    _deferrals += 1
    try:
        yield
    finally:
        _deferrals -= 1


def _on_sigterm(_signum: int, _frame: FrameType | None) -> None:
    _notice.set()
    if _deferrals == 0:
        raise Preempted
    deadline = threading.Timer(_NOTICE_GRACE_S, os._exit, args=(EXIT_PREEMPTED,))
    deadline.daemon = True
    deadline.start()


def stdin_is_a_lifeline() -> bool:
    """Return whether standard input is a pipe, whose end says that its writer is gone."""
    # A terminal or /dev/null is no lifeline: the first is a person, the second ends at once.
    try:
        mode = os.fstat(0).st_mode
    except OSError:
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


def have_the_kernel_kill_at_end_of_stdin(owner: int) -> None:
    """Let the end of standard input be SIGKILL to `owner`: a pid, or a process group's negative.

    A thread needs the interpreter's lock, which an import of torch holds for up to a second.
    """
    try:
        fcntl.fcntl(0, fcntl.F_SETOWN, owner)
        fcntl.fcntl(0, fcntl.F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(0, fcntl.F_SETFL, fcntl.fcntl(0, fcntl.F_GETFL) | os.O_ASYNC)
    except (AttributeError, OSError):
        # Not Linux, or a sandbox's kernel: the callers' threads watch as well.
        return


def _exit_at_end_of_stdin() -> None:
    # os.read and not sys.stdin: a daemon thread inside a buffered reader aborts the interpreter at exit.
    while True:
        try:
            if os.read(0, 4096) == b"":
                os._exit(EXIT_PREEMPTED)
        except OSError:
            os._exit(EXIT_PREEMPTED)


def _exit_when_orphaned() -> None:
    # Polled, since PR_SET_PDEATHSIG fires when the parent's *thread* ends, which is no death.
    parent = os.getppid()
    while True:
        time.sleep(_PARENT_POLL_S)
        if os.getppid() != parent:
            os._exit(EXIT_PREEMPTED)
