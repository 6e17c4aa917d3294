"""What a process holds and has held at most: on its GPU where there is one, else in resident memory."""

from __future__ import annotations

from pathlib import Path

import torch

_MIB = 2**20


class Memory:
    """Memory of this process, in MiB."""

    def __init__(self) -> None:
        self._on_gpu = torch.cuda.is_available()

    def held(self) -> float:
        """Return what it holds now."""
        return torch.cuda.memory_allocated() / _MIB if self._on_gpu else _status("VmRSS")

    def peak(self) -> float:
        """Return what it has held at most since `forget_peak`."""
        return torch.cuda.max_memory_allocated() / _MIB if self._on_gpu else _status("VmHWM")

    def forget_peak(self) -> None:
        """Let the peak be what it holds now."""
        if self._on_gpu:
            torch.cuda.reset_peak_memory_stats()
        else:
            # proc_pid_clear_refs(5): 5 sets the high-water mark to the current resident set size.
            Path("/proc/self/clear_refs").write_text("5")


def _status(name: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) / 1024
