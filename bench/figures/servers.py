"""Servers that figures call, each on cores of its own: a model of a fixed latency, vLLM, gavel's gateway."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).parents[2]
NODE = ("node", str(ROOT / "bin/node24.mjs"), "--no-warnings")
_RUBRIC = ROOT / "examples/rubrics/math-correctness.yaml"
# vLLM imports torch and compiles nothing: a busy machine takes a minute.
_START_WITHIN_S = 600.0


class DidNotStart(Exception):
    """A server that ended, or was silent, before it served; the message holds the end of its log."""


@dataclass(frozen=True)
class Gateway:
    """Where a gateway is, up to and including /v1, and the key that it asks for."""

    url: str
    key: str


def cores() -> tuple[set[int], set[int]]:
    """Return the core of what is measured against, and that of the rest; the same where there is but one."""
    allowed = sorted(os.sched_getaffinity(0))
    return {allowed[0]}, {allowed[-1]}


@contextmanager
def on(core: set[int]) -> Iterator[None]:
    """Keep this process, and those that it starts meanwhile, on `core`."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, core)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def upstream(latency_ms: float, core: set[int]) -> Iterator[str]:
    """Yield the URL of a server that answers each chat completion after `latency_ms`."""
    with _process([*NODE, str(ROOT / "bench/gateway/upstream.ts"), str(latency_ms)], core) as process:
        yield _line(process).strip()


@contextmanager
def gateway(
    run_dir: Path, role: dict[str, Any], core: set[int], *, record_chat: bool = False
) -> Iterator[Gateway]:
    """Start the product's gateway process over the role's model; `run_dir` holds rubric and ledger."""
    config = {
        "run": "bench",
        "run_dir": str(run_dir),
        "stage": "serve",
        "epoch": 1,
        "rubric": str(run_dir / "rubric.json"),
        "record_chat": record_chat,
        "roles": {"judge": {"model": "judge", "model_digest": "bench", "engine": "vllm", **role}},
    }
    path = run_dir / "gateway.json"
    path.write_text(json.dumps(config))
    key = secrets.token_urlsafe(16)
    command = [*NODE, str(ROOT / "src/gateway/main.ts"), str(path)]
    with _process(command, core, {"GAVEL_API_KEY": key}) as process:
        event = json.loads(_line(process))
        if event["event"] != "listening":
            raise DidNotStart(str(event))
        yield Gateway(f"{event['url']}/v1", key)


@contextmanager
def vllm(run_dir: Path, model: Path, core: set[int]) -> Iterator[str]:
    """Serve a model folder as gavel would start it, and yield its URL; writes the rubric into `run_dir`."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = prepare(run_dir, model, port)
    log = run_dir / f"{model.name}.log"
    environment = {**command["env"], "PYTHONPATH": str(ROOT / "python"), "HF_HUB_OFFLINE": "1"}
    python = str(ROOT / ".venv/bin/python")
    with log.open("w") as out, _process([python, *command["args"]], core, environment, err=out) as process:
        url = f"http://127.0.0.1:{port}"
        end = time.monotonic() + _START_WITHIN_S
        while not _healthy(f"{url}/health"):
            if process.poll() is not None or time.monotonic() > end:
                raise DidNotStart(f"vLLM: {log.read_text()[-800:]}")
            time.sleep(0.5)
        yield f"{url}/v1"


def prepare(run_dir: Path, model: Path, port: int) -> dict[str, Any]:
    """Write the rubric as `gavel run` leaves it; return arguments and environment of vLLM."""
    script = str(ROOT / "bench/gateway/prepare.ts")
    run = [*NODE, script, str(_RUBRIC), str(run_dir), str(model), str(port)]
    return json.loads(subprocess.run(run, check=True, capture_output=True, text=True).stdout)


@contextmanager
def _process(
    command: list[str], core: set[int], env: dict[str, str] | None = None, *, err: IO[str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """Run a server; all of them end at the end of their standard input."""
    with on(core):
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE if err is None else err,
            stderr=err,
            env={**os.environ, **(env or {})},
            text=True,
        )
    try:
        yield process
    finally:
        assert process.stdin is not None
        process.stdin.close()
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    if line == "":
        raise DidNotStart(f"{process.args}: ended with {process.wait()}")
    return line


def _healthy(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False
