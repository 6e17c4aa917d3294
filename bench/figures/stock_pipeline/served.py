"""A bare vLLM, and grading calls to it by the `openai` client."""

from __future__ import annotations

import json
import math
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from inputs import Inputs, Row
from openai import OpenAI

_DIGITS = "0123456789"


class Server:
    """One model behind vLLM on a free port; its start overlaps with what the script does until `wait`."""

    def __init__(self, inputs: Inputs, role: str, model: str) -> None:
        self.section, self.rubric = inputs.spec[role], inputs.rubric
        self.role, self.calls, self.completion_tokens = role, 0, 0
        self._log = (inputs.out / f"vllm-{role}.log").open("w")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._url = f"http://127.0.0.1:{free.getsockname()[1]}"
        command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", model]
        command += ["--served-model-name", role, "--host", "127.0.0.1", "--port", self._url.rsplit(":", 1)[1]]
        command += ["--dtype", self.section["serve"]["dtype"]]
        command += ["--max-model-len", str(self.section["serve"]["max_model_len"])]
        command += [
            "--generation-config",
            "vllm",
            "--enforce-eager",
            "--no-enable-chunked-prefill",
            "--disable-uvicorn-access-log",
        ]
        # GiB of cache, and no threads bound to cores, so that the trainer has room beside it.
        environment = {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_CPU_OMP_THREADS_BIND": "nobind"}
        environment |= {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "VLLM_NO_USAGE_STATS": "1"}
        self._process = subprocess.Popen(
            command,
            env=os.environ | environment,
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,
        )

    def wait(self) -> None:
        """Wait until it answers."""
        while True:
            try:
                with urllib.request.urlopen(f"{self._url}/health", timeout=5):
                    break
            except OSError:
                if self._process.poll() is not None:
                    sys.exit(f"vLLM of the {self.role} ended; see {self._log.name}")
                time.sleep(0.2)
        self._client = OpenAI(base_url=f"{self._url}/v1", api_key="none", timeout=self.section["timeout_s"])
        self._allowed = [self._token_id(digit) for digit in _DIGITS]

    def terminate(self) -> None:
        """Ask the server and its engine to end."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGTERM)

    def ended(self) -> None:
        """Wait until it has ended; after a second it is killed, as gavel kills its servers."""
        try:
            self._process.wait(1)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def grade_all(self, pairs: Sequence[tuple[str, str]], mode: str) -> list[Row]:
        """Return a reply and a score, or None, for each prompt and completion."""
        with ThreadPoolExecutor(self.section["concurrency"]) as pool:
            graded = list(pool.map(lambda pair: self._grade(*pair, mode), pairs))
        self.calls += len(graded)
        self.completion_tokens += sum(row["tokens"] for row in graded)
        return graded

    def _grade(self, prompt: str, completion: str, mode: str) -> Row:
        request: dict[str, Any] = {
            "model": self.role,
            "messages": messages_of(self.rubric, mode, prompt, completion),
            "temperature": 0,
            "max_tokens": self.section["sampling"]["max_tokens"],
            "logprobs": True,
            "top_logprobs": 20,
        }
        if mode == "single_token":
            request |= {"max_tokens": 1, "extra_body": {"allowed_token_ids": self._allowed}}
        reply = self._client.chat.completions.create(**request)
        text = reply.choices[0].message.content or ""
        found = re.findall(r"[Ss]core:\s*([0-9])" if mode == "reasoned" else r"([0-9])", text)
        score = int(found[-1]) if found else None
        value = score if mode == "reasoned" else _expected(reply.choices[0].logprobs, score)
        return {"reply": text, "score": score, "value": value, "tokens": reply.usage.completion_tokens}

    def _token_id(self, text: str) -> int:
        body = json.dumps({"model": self.role, "prompt": text, "add_special_tokens": False}).encode()
        request = urllib.request.Request(f"{self._url}/tokenize", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)["tokens"][0]


def messages_of(rubric: Row, mode: str, prompt: str, completion: str) -> list[dict[str, str]]:
    """Return what a mode asks about a completion."""
    values = {"prompt": prompt, "completion": completion}
    return [
        {
            "role": message["role"],
            "content": re.sub(
                r"\{\{\s*(prompt|completion)\s*\}\}", lambda name: values[name[1]], message["content"]
            ),
        }
        for message in rubric["modes"][mode]["messages"]
    ]


def _expected(logprobs: Any, score: int | None) -> float | None:
    """The mean of the digits, weighted by their probabilities."""
    likely = [one for one in logprobs.content[0].top_logprobs if one.token.strip() in list(_DIGITS)]
    mass = sum(math.exp(one.logprob) for one in likely)
    if not mass:
        return score
    return sum(int(one.token) * math.exp(one.logprob) for one in likely) / mass


def stop(*servers: Server) -> None:
    """End servers, all at once."""
    for server in servers:
        server.terminate()
    for server in servers:
        server.ended()
