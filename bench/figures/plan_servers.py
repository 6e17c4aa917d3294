"""A vLLM for each model that the figure `plan` samples from, on a core of its own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from gavel_train.contracts import Endpoint

# Imports and the first pass of a cold vLLM, on a machine that others use too.
_START_S = 600.0
_STOP_S = 60.0


@contextmanager
def serving(models: dict[Path, int], folder: Path, *, core: int) -> Iterator[dict[Path, str]]:
    """Yield the endpoint file of a server for each model, started one after the other.

    `models` has the rank of the adapters that a server takes. The flags are those of
    src/serving/engines/vllm.ts.
    """
    with ExitStack() as stack:
        yield {
            model: stack.enter_context(_server(model, rank, folder / f"policy-{at}.json", core))
            for at, (model, rank) in enumerate(models.items())
        }


@contextmanager
def _server(model: Path, rank: int, endpoint: Path, core: int) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = endpoint.with_suffix(".log")
    with log.open("w") as out:
        server = subprocess.Popen(
            [sys.executable, "-m", "gavel_train.serving.vllm", *_flags(model, rank, port)],
            env=os.environ | _SETTINGS,
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=out,
        )
    os.sched_setaffinity(server.pid, {core})
    try:
        _wait(server, f"http://127.0.0.1:{port}/health", log)
        endpoint.write_text(
            Endpoint(
                role="policy",
                base_url=f"http://127.0.0.1:{port}/v1",
                model="policy",
                model_digest=None,
                pid=None,
                host="here",
                api_key_env=None,
                api_key_file=None,
                started_at="2026-01-01T00:00:00Z",
            ).model_dump_json()
        )
        yield str(endpoint)
    finally:
        assert server.stdin is not None
        # The end of its standard input ends it and its engine.
        server.stdin.close()
        server.wait(_STOP_S)


_SETTINGS = {
    "VLLM_ALLOW_RUNTIME_LORA_UPDATING": "True",
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "OMP_NUM_THREADS": "1",
    "HF_HUB_OFFLINE": "1",
    "CUDA_VISIBLE_DEVICES": "",
    "VLLM_NO_USAGE_STATS": "1",
}


def _flags(model: Path, rank: int, port: int) -> list[str]:
    flags = {"--model": model, "--served-model-name": "policy", "--host": "127.0.0.1", "--port": port}
    flags |= {"--dtype": "float32", "--generation-config": "vllm", "--logprobs-mode": "processed_logprobs"}
    flags |= {"--max-lora-rank": rank, "--max-loras": 3, "--max-cpu-loras": 3}
    flags |= {"--stream-interval": 1000000, "--max-model-len": 1024}
    words = [str(word) for pair in flags.items() for word in pair]
    return [
        *words,
        "--enable-lora",
        "--enforce-eager",
        "--no-enable-chunked-prefill",
        "--disable-uvicorn-access-log",
    ]


def _wait(server: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + _START_S
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            if server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"vLLM did not start: {log.read_text()[-3000:]}") from None
            time.sleep(0.5)
