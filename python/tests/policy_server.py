"""A server of the policy at the edge: vLLM's routes in front of the tiny model, and failures on demand.

It never samples the same twice, as vLLM does not, so that equal runs prove that the journal was used.
"""

import json
import threading
import time
from collections.abc import Callable
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

from gavel_train.contracts import Endpoint


class PolicyServer:
    def __init__(self, model: Path):
        self.model = model
        self.loaded: dict[str, PeftModel] = {}
        # Adapter names in the order of their loads and unloads: "+name", "-name".
        self.calls: list[str] = []
        # Adapter, number of completions and body of each request for completions.
        self.asked: list[dict] = []
        # Called before each completion is sent, with the request and the completion's number.
        self.before: Callable[[dict, int], None] = lambda request, number: None
        # Cleared, it answers nothing: its process is stopped, and its connections stay open.
        self.goes_on = threading.Event()
        self.goes_on.set()
        # Whose connections are answered; None while it is ended.
        self.http: _Http | None = None
        self._draws = torch.Generator().manual_seed(time.time_ns() % 2**31)
        self._lock = threading.Lock()

    def handler(self):
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                server.goes_on.wait()
                self.answer(200, "")

            def do_POST(self):
                server.goes_on.wait()
                if self.server is not server.http:
                    # A dead process answers no connection, also none that was kept alive.
                    self.close_connection = True
                    return
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                if self.path == "/v1/load_lora_adapter":
                    self.answer(*server.load(body))
                elif self.path == "/v1/unload_lora_adapter":
                    server.calls.append("-" + body["lora_name"])
                    server.loaded.pop(body["lora_name"], None)
                    self.answer(200, "removed")
                elif body["model"] not in server.loaded:
                    self.answer(404, json.dumps({"error": {"message": "no such model", "code": 404}}))
                else:
                    self.complete(body)

            def complete(self, body):
                server.asked.append(body)
                completions = server.sample(body)
                self.send_response(200)
                self.send_header("content-type", "text/event-stream")
                self.send_header("connection", "close")
                self.end_headers()
                self.close_connection = True
                try:
                    for number, choice in enumerate(completions):
                        server.goes_on.wait()
                        server.before(body, number)
                        self.say({"id": "x", "object": "text_completion", "created": 0, "model": "m"}, choice)
                    self.wfile.write(b"data: [DONE]\n\n")
                except ConnectionError:
                    return

            def say(self, chunk, choice):
                self.wfile.write(b"data: " + json.dumps(chunk | {"choices": [choice]}).encode() + b"\n\n")
                self.wfile.flush()

            def answer(self, status, text):
                data = text.encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *args):
                pass

        return Handler

    def load(self, body) -> tuple[int, str]:
        name = body["lora_name"]
        with self._lock:
            if name in self.loaded:
                return 400, f"The lora adapter '{name}' has already been loaded."
            base = AutoModelForCausalLM.from_pretrained(self.model, dtype=torch.float32)
            self.loaded[name] = PeftModel.from_pretrained(base, body["lora_path"]).eval()
        self.calls.append("+" + name)
        return 200, "added"

    @torch.no_grad()
    def sample(self, body) -> list[dict]:
        model, n, prompt = self.loaded[body["model"]], body["n"], body["prompt"]
        ids = torch.tensor([prompt] * n)
        logprobs = torch.zeros(n, 0)
        with self._lock:
            for _ in range(body["max_tokens"]):
                near = (model(ids).logits[:, -1].float() / body["temperature"]).log_softmax(-1)
                drawn = torch.multinomial(near.exp(), 1, generator=self._draws)
                logprobs = torch.cat([logprobs, near.gather(1, drawn)], 1)
                ids = torch.cat([ids, drawn], 1)
        choices = []
        for index in range(n):
            tokens = ids[index, len(prompt) :].tolist()
            stops = [at for at, token in enumerate(tokens) if token in body["stop_token_ids"]]
            length = stops[0] + 1 if stops else len(tokens)
            choices.append(
                {
                    "index": index,
                    "text": "",
                    "token_ids": tokens[:length],
                    "logprobs": {"token_logprobs": logprobs[index, :length].tolist()},
                    "finish_reason": "stop" if stops else "length",
                }
            )
        return choices


def publish_endpoint(file: Path, port: int) -> None:
    """Say that a server of the policy, without a key, listens on a port of this machine."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(
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


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512

    def handle_error(self, request, client_address):
        # A client that was killed, or a test that ends the connection, is no error here.
        pass


class Serving:
    """A policy server that can be ended and started again, elsewhere, as a worker does."""

    def __init__(self, server: PolicyServer, endpoint_file: Path):
        self.server = server
        self.endpoint_file = endpoint_file

    def start(self) -> None:
        http = self.server.http = _Http(("127.0.0.1", 0), self.server.handler())
        threading.Thread(target=http.serve_forever, args=(0.02,), daemon=True).start()
        publish_endpoint(self.endpoint_file, http.server_port)

    def stop(self) -> None:
        """End it: what was loaded is gone, and its endpoint stays where nobody listens."""
        http, self.server.http = self.server.http, None
        if http is not None:
            self.server.goes_on.set()
            http.shutdown()
            http.server_close()
        self.server.loaded.clear()


@contextmanager
def serving(model: Path, folder: Path, servers: int = 1):
    """Yield servers of one policy."""
    all_of_them = [Serving(PolicyServer(model), folder / f"policy-{n}.json") for n in range(servers)]
    for one in all_of_them:
        one.start()
    try:
        yield all_of_them
    finally:
        for one in all_of_them:
            one.stop()
