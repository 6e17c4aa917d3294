"""A training by stock_trl.py, started again after each death; the faults that strike it (see stock.py)."""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stock_proxy import Proxy

WEIGHTS = ("adapter_model.safetensors", "model.safetensors")
DEATHS_WITHOUT_STEP = 3
PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)

Record = dict[str, Any]


@dataclass
class Setting:
    """What all runs of a campaign share."""

    out: Path
    steps: int
    trainer: list[str]
    environment: dict[str, str]
    proxy: Proxy
    # Taken from the reference, for kills that are to fall into a save.
    save_s: float = 0.0


class Run:
    """One training, from its first process to its last, and the faults that strike it."""

    def __init__(self, name: str, kind: str, plan: list[Record], setting: Setting) -> None:
        self.name, self.kind, self.plan, self.setting = name, kind, list(plan), setting
        self.folder = setting.out / name
        self.model, self._file = self.folder / "model", self.folder / "events.jsonl"
        self.events: list[Record] = []
        self._newest: Counter[str] = Counter()
        self._offset = 0
        # When each save's folder was first seen: a save lasts from there to its event.
        self._seen: dict[int, float] = {}
        self.faults: list[Record] = []
        self.deaths: list[str] = []
        self.life = 0

    def train(self) -> Run:
        """Start the trainer again after each death until it is done or given up; then measure."""
        self.folder.mkdir()
        self._file.touch()
        began, barren = time.time(), 0
        while not self.of("done") and barren < DEATHS_WITHOUT_STEP:
            self.life += 1
            self._live()
            barren = 0 if any(event["life"] == self.life for event in self.of("step")) else barren + 1
        self.wall_s = time.time() - began
        self.completed = bool(self.of("done"))
        files = [self.model / name for name in WEIGHTS if self.completed and (self.model / name).is_file()]
        self.sha256 = hashlib.sha256(files[0].read_bytes()).hexdigest() if files else None
        kept = self.setting.steps if self.completed else self.last("saved")
        # A step that was done twice counts as it was done last.
        history = {event["step"]: event["seconds"] for event in self.of("step") if event["step"] <= kept}
        self.effective_s = sum(history.values())
        self.zeroed = Counter(event["error"] for event in self.of("zeroed"))
        for fault in self.faults:
            self._measure(fault)
        took = [
            event["time"] - self._seen[event["step"]]
            for event in self.of("saved")
            if event["step"] in self._seen
        ]
        self.save_s = statistics.median(took or [0.0])
        shutil.rmtree(self.model, ignore_errors=True)
        return self

    def of(self, name: str) -> list[Record]:
        """Return the events of that name so far."""
        return [event for event in self.events if event["event"] == name]

    def last(self, name: str) -> int:
        """Return the newest step with such an event; 0 without one."""
        return self._newest[name]

    def typical(self, name: str) -> float:
        """Return the median seconds of such events."""
        return statistics.median(event["seconds"] for event in self.of(name))

    def _live(self) -> None:
        left_over = self._checkpoints()
        with (self.folder / "trainer.log").open("ab") as log:
            began_at = log.tell()
            process = subprocess.Popen(
                [*self.setting.trainer, "--out", str(self.model), "--events", str(self._file)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self.setting.environment,
                start_new_session=True,
                # Covers the one end of this process that no `finally` sees.
                preexec_fn=lambda: _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL),
            )
        try:
            while process.poll() is None:
                # Looked at before the events are: what is saved by then is not being saved.
                saving = max(self._checkpoints().keys() - left_over.keys(), default=0)
                self._seen.setdefault(saving, time.time())
                self._read()
                if self._due() and (self.kind != "kill-in-save" or saving > self.last("saved")):
                    self._strike(process, self.plan.pop(0))
                time.sleep(0.002)
        finally:
            _kill(process)
        self._read()
        if process.returncode:
            self.deaths.append(self._why(process.returncode, began_at))

    def _due(self) -> bool:
        """Return whether the next fault's time has come, and the fault before is made good."""
        if not self.plan or self.last("saved") >= self.setting.steps:
            return False
        if self.faults and self.last("saved") <= self.faults[-1]["newest_save"]:
            return False
        if self.kind == "damaged-checkpoint" and not self.of("saved"):
            return False
        return self.last("step") >= self.plan[0]["at_step"]

    def _strike(self, process: subprocess.Popen[bytes], fault: Record) -> None:
        time.sleep(
            fault["moment"] * (self.setting.save_s if self.kind == "kill-in-save" else self.typical("step"))
        )
        fault = {**fault, "time": time.time()}
        if self.kind == "judge-outage":
            self._read()
            if not self._remember(fault):
                return
            self.setting.proxy.down()
            try:
                time.sleep(fault["outage_s"])
            finally:
                self.setting.proxy.up()
            return
        if self.kind == "sigterm":
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=30)
        _kill(process)
        self._read()
        if self._remember(fault) and self.kind == "damaged-checkpoint":
            _damage(self._checkpoints()[self.last("saved")], *fault["damage"], fault["place"])

    def _remember(self, fault: Record) -> bool:
        """Note what a fault found; one that came after the last save struck nothing, and stays planned."""
        if self.last("saved") >= self.setting.steps:
            self.plan.insert(0, fault)
            return False
        newest = self._checkpoints()
        self.faults.append(
            fault
            | {
                "life": self.life,
                "events": len(self.events),
                "last_step": self.last("step"),
                "newest_save": self.last("saved"),
                "in_save": max(newest, default=0) > self.last("saved"),
                "files": len(list(newest[max(newest)].iterdir())) if newest else 0,
            }
        )
        return True

    def _measure(self, fault: Record) -> None:
        before, later = self.events[: fault["events"]], self.events[fault["events"] :]
        steps = [event["step"] for event in later if event["event"] == "step"]
        # After an outage, which kills nothing, the step in flight is the next one: 0.
        fault["steps_lost"] = fault["last_step"] - (steps[0] - 1) if steps else None
        saves = [
            at
            for at, event in enumerate(later)
            if event["event"] == "saved" and event["step"] > fault["newest_save"]
        ]
        end = saves[0] if saves else None
        fault["seconds"] = None if end is None else later[end]["time"] - fault["time"]
        asked = [event for event in before if event["event"] == "judge_call"]
        bodies, graded = (
            {event["body"] for event in asked},
            max((event["step"] for event in asked), default=0),
        )
        calls = [e for e in later[:end] if e["event"] == "judge_call" and e["life"] > fault["life"]]
        fault["asked_again"] = sum(event["body"] in bodies for event in calls)
        fault["replayed_calls"] = sum(event["step"] <= graded for event in calls)
        fault["zeroed"] = sum(event["event"] == "zeroed" for event in later[:end])

    def _checkpoints(self) -> dict[int, Path]:
        return {int(folder.name.rsplit("-", 1)[1]): folder for folder in self.model.glob("checkpoint-*")}

    def _read(self) -> None:
        if self._file.stat().st_size == self._offset:
            return
        with self._file.open("rb") as file:
            file.seek(self._offset)
            new = file.read()
        self._offset += len(new)
        for event in map(json.loads, new.splitlines()):
            self.events.append(event | {"life": self.life})
            self._newest[event["event"]] = max(self._newest[event["event"]], event.get("step", 0))

    def _why(self, code: int, began_at: int) -> str:
        text = (self.folder / "trainer.log").read_bytes()[began_at:].decode(errors="replace")
        errors = re.findall(r"^(?:[\w.]+\.)?\w*(?:Error|Exception)\b.*", text, re.MULTILINE)
        # What the supervisor did itself is a signal, and no error of the log's.
        said = errors[-1][:300].replace(f"{self.folder}/", "") if errors and code > 0 else f"exit {code}"
        return f"life {self.life}, step {self.last('step')}: {said}"


def _kill(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _damage(checkpoint: Path, how: str, what: str, place: float) -> None:
    """Cut the weights or the optimizer off at `place`, a share of its length, or flip one bit there."""
    names = WEIGHTS if what == "weights" else ("optimizer.pt",)
    file = next(checkpoint / name for name in names if (checkpoint / name).is_file())
    at = int(place * file.stat().st_size)
    if how == "truncate":
        os.truncate(file, at)
        return
    content = bytearray(file.read_bytes())
    content[at] ^= 1 << 6
    file.write_bytes(content)
