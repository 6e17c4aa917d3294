"""A Temporal server and a worker of this repository, on a root of their own, and commands that use them."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[2]
# A worker on a busy machine; its first start compiles its workflows.
_READY_WITHIN_S = 600


@dataclass(frozen=True)
class Event:
    """One event of a workflow's history: its time in seconds, and what it says of an activity."""

    id: str
    at: float
    activity: str | None
    completes: str | None


class Up:
    """`gavel up` on a new root with the shipped models and examples, from `with` to its end."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._port, self._ui_port = _free_ports(2)
        # What the benchmark's own modules are found by is not for gavel's processes.
        self._environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | {
            "GAVEL_ROOT": str(root),
            "TEMPORAL_ADDRESS": f"127.0.0.1:{self._port}",
            "NO_COLOR": "1",
        }

    def __enter__(self) -> Up:
        self.root.mkdir(parents=True)
        for name in ("models", "examples"):
            (self.root / name).symlink_to(REPOSITORY / name)
        ports = ["--port", str(self._port), "--ui-port", str(self._ui_port)]
        with (self.root / "up.log").open("w") as log:
            self._process = subprocess.Popen(
                # Supervised, it ends with standard input, however this process ends.
                [*_gavel("up"), *ports, "--supervised"],
                env=self._environment,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + _READY_WITHIN_S
        while not self._ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.__exit__()
                raise RuntimeError(f"gavel up is not ready:\n{(self.root / 'up.log').read_text()[-3000:]}")
            time.sleep(0.2)
        return self

    def __exit__(self, *_: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def gavel(self, *arguments: str) -> str:
        """Run a command of gavel; return what it printed."""
        return self._run(_gavel(*arguments))

    def temporal(self, *arguments: str) -> str:
        """Run a command of the Temporal CLI; return what it printed."""
        address = ["--address", f"127.0.0.1:{self._port}"]
        return self._run([str(REPOSITORY / ".venv/bin/temporal"), *arguments, *address])

    def history(self, workflow_id: str) -> list[Event]:
        """Return the events of a workflow."""
        shown = self.temporal("workflow", "show", "--workflow-id", workflow_id, "-o", "json")
        return [_event(one) for one in json.loads(shown)["events"]]

    def _ready(self) -> bool:
        state = self.root / ".gavel/up.json"
        return state.is_file() and json.loads(state.read_text())["ready"]

    def _run(self, command: list[str]) -> str:
        ended = subprocess.run(
            command,
            env=self._environment,
            cwd=self.root,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        if ended.returncode:
            raise RuntimeError(
                f"{' '.join(command)} ended with {ended.returncode}:\n{ended.stderr}{ended.stdout}"
            )
        return ended.stdout


def seconds_of(time: str) -> float:
    """Return an ISO time as seconds since 1970."""
    return datetime.fromisoformat(time).timestamp()


def _gavel(*arguments: str) -> list[str]:
    node = ["node", str(REPOSITORY / "bin/node24.mjs"), "--no-warnings"]
    return [*node, str(REPOSITORY / "src/cli.ts"), *arguments]


def _event(one: dict[str, Any]) -> Event:
    scheduled = one.get("activityTaskScheduledEventAttributes", {})
    completed = one.get("activityTaskCompletedEventAttributes", {})
    return Event(
        id=one["eventId"],
        at=seconds_of(one["eventTime"]),
        activity=scheduled.get("activityType", {}).get("name"),
        completes=completed.get("scheduledEventId"),
    )


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports
