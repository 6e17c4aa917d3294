"""The real vLLM that samples rollouts, on one core, with the flags that gavel starts it with."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gavel_train.contracts import Endpoint
from gavel_train.run.directory import now

# It imports torch and compiles nothing, on a core that may be shared.
_START_S = 300
_SETTINGS = {
    "VLLM_ALLOW_RUNTIME_LORA_UPDATING": "True",
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "OMP_NUM_THREADS": "1",
    "HF_HUB_OFFLINE": "1",
    "CUDA_VISIBLE_DEVICES": "",
    "VLLM_NO_USAGE_STATS": "1",
}
_SWITCHES = [
    "--enable-lora",
    "--enforce-eager",
    "--no-enable-chunked-prefill",
    "--disable-uvicorn-access-log",
]


@contextmanager
def vllm_on(core: int, model: Path, work: Path, *, context: int, lora_rank: int) -> Iterator[Path]:
    """Yield the file that says where the server is; raises RuntimeError where it does not start."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    flags = {"--model": model, "--served-model-name": "policy", "--host": "127.0.0.1", "--port": port}
    flags |= {"--dtype": "float32", "--generation-config": "vllm", "--logprobs-mode": "processed_logprobs"}
    flags |= {"--max-lora-rank": lora_rank, "--max-loras": 3, "--max-cpu-loras": 3}
    flags |= {"--stream-interval": 1000000, "--max-model-len": context}
    words = [str(word) for pair in flags.items() for word in pair]
    log = work / "vllm.log"
    mine = os.sched_getaffinity(0)
    with log.open("w") as out:
        # A child has the cores of the thread that starts it, and so have the processes that vLLM starts.
        os.sched_setaffinity(0, {core})
        try:
            server = subprocess.Popen(
                [sys.executable, "-m", "gavel_train.serving.vllm", *words, *_SWITCHES],
                env=os.environ | _SETTINGS,
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=out,
            )
        finally:
            os.sched_setaffinity(0, mine)
    try:
        _wait_for(server, f"http://127.0.0.1:{port}/health", log)
        yield _endpoint(work / "policy-0.json", port)
    finally:
        # The end of its standard input ends it and its engine.
        assert server.stdin is not None
        server.stdin.close()
        server.wait(30)


def _wait_for(server: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + _START_S
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            if server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"vLLM has not started:\n{log.read_text()[-3000:]}") from None
            time.sleep(0.5)


def _endpoint(file: Path, port: int) -> Path:
    endpoint = Endpoint(
        role="policy",
        base_url=f"http://127.0.0.1:{port}/v1",
        model="policy",
        model_digest=None,
        pid=None,
        host="here",
        api_key_env=None,
        api_key_file=None,
        started_at=now(),
    )
    file.write_text(endpoint.model_dump_json())
    return file
