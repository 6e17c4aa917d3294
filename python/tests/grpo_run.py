"""Runs the GRPO stage in a forked child: a process of its own to kill, without importing torch again."""

import errno
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tiny_run import write_request

LORA = {"r": 4, "alpha": 8, "dropout": 0.1, "target_modules": "all-linear"}
SMALL = {
    "steps": 4,
    "save_every": 2,
    "prompts_per_step": 2,
    "num_generations": 4,
    "micro_batch_size": 4,
    "max_completion_tokens": 6,
    "learning_rate": 1e-2,
    # The untrained model is never right, so that under "verifier" a missing score would change nothing.
    "when_unscored": "mask",
    "lora": LORA,
}
STEP = 8  # judge calls of one step


@dataclass
class Stage:
    pid: int
    epoch_dir: Path
    status: int | None = None

    def wait(self) -> int:
        """Exit code, or minus the signal."""
        if self.status is None:
            self.status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self.status

    def kill(self, number: int = signal.SIGKILL) -> None:
        os.kill(self.pid, number)

    def lines(self) -> list[dict]:
        return [json.loads(line) for line in (self.epoch_dir / "stdout").read_text().splitlines()]

    def outcome(self) -> dict:
        return json.loads((self.epoch_dir / "outcome.json").read_text())


def start(
    root: Path,
    epoch: int,
    gateway,
    *,
    resume_from: Path | None = None,
    before: Callable = lambda: None,
    **grpo,
) -> Stage:
    """Start an epoch; `before` runs in the child first, to break something there."""
    epoch_dir = ask(root, epoch, gateway, resume_from=resume_from, **grpo)

    def in_child():
        # A copy of its listening socket would answer for a server that has ended.
        for one in grpo.get("servers", ()):
            one.server.http.socket.close()
        before()

    return launch(epoch_dir, in_child)


def start_ranks(root: Path, epoch: int, gateway, ranks: int, **grpo) -> list[Stage]:
    """Start an epoch as a launcher does: one process a rank, which meet at a port of rank 0."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    epoch_dir = ask(root, epoch, gateway, processes=ranks, **grpo)

    def as_rank(number: int) -> Callable:
        return lambda: os.environ.update(
            RANK=str(number),
            LOCAL_RANK=str(number),
            WORLD_SIZE=str(ranks),
            LOCAL_WORLD_SIZE=str(ranks),
            MASTER_ADDR="127.0.0.1",
            MASTER_PORT=str(port),
            ACCELERATE_USE_CPU="true",
        )

    return [launch(epoch_dir, as_rank(number), f"-{number}" if number else "") for number in range(ranks)]


def ask(
    root: Path,
    epoch: int,
    gateway,
    *,
    resume_from: Path | None = None,
    task: dict | None = None,
    servers: Sequence = (),
    policy: dict | None = None,
    judge: dict | None = None,
    **grpo,
) -> Path:
    return write_request(
        root,
        "grpo",
        epoch,
        gateway_url=gateway.url,
        policy_endpoints=[str(one.endpoint_file) for one in servers],
        policy=policy or {},
        judge=judge or {},
        resume_from=resume_from,
        task=task or {"params": {"verifier": "number"}},
        grpo=SMALL | grpo,
    )


def launch(epoch_dir: Path, before: Callable, suffix: str = "") -> Stage:
    pid = os.fork()
    if pid == 0:
        try:
            for number, stream in ((1, "stdout"), (2, "stderr")):
                os.dup2(os.open(epoch_dir / f"{stream}{suffix}", os.O_WRONLY | os.O_CREAT, 0o644), number)
            sys.stderr = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115
            sys.argv = ["grpo", str(epoch_dir)]
            before()
            from gavel_train.policy import grpo as stage
            from gavel_train.run.outcome import run_stage

            run_stage("grpo", stage.main)
        finally:
            os._exit(99)
    stage = Stage(pid, epoch_dir)
    _started.append(stage)
    return stage


_started: list[Stage] = []


def end_all() -> None:
    """Kill what a test has started and not waited for: the suite would wait for the output that it holds."""
    while _started:
        stage = _started.pop()
        if stage.status is None:
            with suppress(ProcessLookupError, ChildProcessError):
                stage.kill()
                stage.wait()


def head(root: Path) -> Path | None:
    """What a new epoch goes on from: HEAD of the newest epoch that has one."""
    heads = sorted((root / "runs/tiny/grpo/epochs").glob("*/HEAD"))
    if not heads:
        return None
    return checkpoints(root) / json.loads(heads[-1].read_text())["checkpoint"]


def checkpoints(root: Path) -> Path:
    return root / "runs/tiny/grpo/checkpoints"


def weights(folder: Path) -> bytes:
    (path,) = [p for p in folder.glob("*model.safetensors")]
    return path.read_bytes()


def rollouts(root: Path, name: str | None) -> list[dict]:
    """All rollouts of the chain that ends in a checkpoint, oldest first."""
    records: list[dict] = []
    while name is not None:
        folder = checkpoints(root) / name
        records = [
            json.loads(line) for line in (folder / "rollouts.jsonl").read_text().splitlines()
        ] + records
        name = json.loads((folder / "manifest.json").read_text())["parent"]
    return records


def asked_of(*, step: int, group: int | None = None) -> Callable[[dict], bool]:
    """Whether a request is one of this step, or of this group of it."""
    prefix = f"grpo:{step}:" if group is None else f"grpo:{step}:{group}:"
    return lambda request: request["occasion"].startswith(prefix)


def until(condition: Callable[[], bool], stage: Stage, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, (stage.epoch_dir / "stderr").read_text()[-3000:]
        finished, status = os.waitpid(stage.pid, os.WNOHANG)
        if finished:
            stage.status = os.waitstatus_to_exitcode(status)
            raise AssertionError((stage.epoch_dir / "stderr").read_text()[-3000:])
        time.sleep(0.01)


def die_in_the_save_of(commit: int):
    """End the process, without a word, when the manifest of its n-th commit is about to be written."""

    def patch():
        from gavel_train.run import checkpoints as module

        real, calls = module.write_atomically, []

        def write(path: Path, data):
            if path.name == "manifest.json":
                calls.append(path)
                if len(calls) == commit:
                    os._exit(57)
            return real(path, data)

        module.write_atomically = write

    return patch


def fill_the_disk_at_commit(commit: int):
    """Let the disk be full when the manifest of the n-th commit is about to be written."""

    def patch():
        from gavel_train.run import checkpoints as module

        real, calls = module.write_atomically, []

        def write(path: Path, data):
            if path.name == "manifest.json":
                calls.append(path)
                if len(calls) == commit:
                    raise OSError(errno.ENOSPC, "No space left on device", str(path))
            return real(path, data)

        module.write_atomically = write

    return patch
