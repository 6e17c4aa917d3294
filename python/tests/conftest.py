"""A judge at the edge: the gateway over HTTP, with verdicts that a hash decides, and a run to train in."""

import hashlib
import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

KEY = "test-key"


class Server(ThreadingHTTPServer):
    daemon_threads = True
    # A client opens hundreds of connections at once; beyond the default of 5 each waits a second.
    request_queue_size = 512

    def handle_error(self, request, client_address):
        # A trainer that a test has killed waits for no answer.
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class FakeGateway:
    """Grades by a hash of the completion and keeps the ledger; a key that it knows is replayed."""

    def __init__(self, run_dir: Path, stage: str = "grpo", epoch: int = 1, port: int = 0):
        self.run_dir = run_dir
        self.segment = run_dir / "traces" / f"{stage}-e{epoch}-000001.jsonl"
        self.segment.parent.mkdir(parents=True, exist_ok=True)
        self.stage = stage
        self.asked: list[dict] = []
        # Requests for messages, answered.
        self.rendered = 0
        self.score = lambda request: digest_of(request["completion"]) % 10
        self.delay_s = 0.0
        # The completion of a pair that is better: A, B or tie.
        self.prefer = lambda request: "A"
        # Requests that get no answer for as long as this says so.
        self.hold = lambda request: False
        self.answer_with: tuple[int, dict] | None = None
        self.stopped = False
        self.known = self._read_ledger()
        self._lock = threading.Lock()
        self._server = Server(("127.0.0.1", port), self._handler())
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        self.port = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}"

    def _read_ledger(self) -> dict[str, dict]:
        known = {}
        for path in self.segment.parent.glob("*.jsonl"):
            for line in path.read_text().splitlines():
                known[json.loads(line)["key"]] = json.loads(line)
        return known

    def keys(self) -> list[str]:
        return [
            json.loads(line)["key"]
            for path in self.segment.parent.glob("*.jsonl")
            for line in path.read_text().splitlines()
        ]

    def stop(self):
        self.stopped = True
        self._server.shutdown()
        self._server.server_close()

    def grade(self, request: dict) -> dict:
        from tiny_run import ledger_line, numbers, trace

        key = hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()
        self.asked.append(request)
        while self.hold(request) and not self.stopped:
            time.sleep(0.02)
        if request["opponent"] is not None:
            with self._lock:
                return self._compare(request, key)
        with self._lock:
            replayed = key in self.known
            if not replayed:
                score = self.score(request)
                line = trace(request["prompt"], request["completion"], score, f"{request['occasion']}:0")
                line |= {"key": key, "stage": self.stage, "role": request["role"], "mode": request["mode"]}
                self.known[key] = line
                with self.segment.open("a") as ledger:
                    ledger.write(ledger_line(line))
            line = self.known[key]
        return {
            "trace_keys": [key],
            "verdict": line["verdict"],
            **numbers(line["score"]),
            "reasoning": line["reasoning"],
            "replayed": replayed,
            "latency_ms": 1.0,
        }

    def _compare(self, request: dict, key: str) -> dict:
        """A pair as the gateway asks about it, in both orders; every judge here is consistent."""
        from tiny_run import ledger_line, numbers, trace

        replayed = key in self.known
        keys = [hashlib.sha256(f"{key}{order}".encode()).hexdigest() for order in ("ab", "ba")]
        if not replayed:
            label = self.prefer(request)
            self.known[key] = preference = {"label": label, "distribution": None, "win": WIN[label]}
            with self.segment.open("a") as ledger:
                for order, one in zip(("ab", "ba"), keys, strict=True):
                    line = trace(request["prompt"], request["completion"], None, "")
                    line |= {
                        "key": one,
                        "occasion": f"{request['occasion']}:{order}:0",
                        "stage": self.stage,
                        "role": request["role"],
                        "mode": "pairwise",
                        "opponent": request["opponent"],
                        "reply": {"tie": "C", "A": "AB", "B": "BA"}[label][order == "ba" and label != "tie"],
                        "verdict": "scored",
                        "preference": preference | {"order": order},
                    }
                    self.known[one] = line
                    ledger.write(ledger_line(line))
        return {
            "trace_keys": keys,
            "verdict": "scored",
            **numbers(None),
            "preference": self.known[key] | {"order": "consistent"},
            "reasoning": None,
            "replayed": replayed,
            "latency_ms": 1.0,
        }

    def _handler(self):
        gateway = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                request = json.loads(self.rfile.read(int(self.headers["content-length"])))
                time.sleep(gateway.delay_s)
                if gateway.stopped:
                    # A dead process answers no connection, also none that was kept alive.
                    self.close_connection = True
                    return
                if self.headers["authorization"] != f"Bearer {KEY}":
                    status, answer = 401, error("key", "bad_key")
                elif gateway.answer_with is not None:
                    status, answer = gateway.answer_with
                elif self.path == "/v1/messages":
                    from tiny_run import rendered

                    gateway.rendered += 1
                    status, answer = 200, rendered(request)
                else:
                    status, answer = 200, gateway.grade(request)
                body = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        return Handler


WIN = {"A": 1.0, "B": 0.0, "tie": 0.5}


def error(message: str, code: str) -> dict:
    return {"error": {"type": "gavel", "message": message, "code": code}}


def digest_of(text: str) -> int:
    return int(hashlib.sha256(text.encode()).hexdigest(), 16)


@pytest.fixture(autouse=True)
def _gateway_key(monkeypatch):
    monkeypatch.setenv("GAVEL_API_KEY", KEY)


@pytest.fixture
def gateways():
    """Starts fake gateways, and ends those that the test left running."""
    started = []

    def start(*args, **kwargs) -> FakeGateway:
        started.append(FakeGateway(*args, **kwargs))
        return started[-1]

    yield start
    for gateway in started:
        gateway.stop()


@pytest.fixture(scope="module")
def imported_once():
    """Import once here, so that forked children do not each pay for it; one thread, as bit equality needs."""
    import torch

    from gavel_train.policy.trl_imports import hide_vllm

    hide_vllm()

    import gavel_train.policy.commit_callback
    import gavel_train.policy.sample  # noqa: F401

    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def no_stage_is_left():
    """End the forked stages of a test that has failed."""
    yield
    if "grpo_run" in sys.modules:
        sys.modules["grpo_run"].end_all()


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory) -> Path:
    # Imported here: it needs transformers, which most tests do without.
    from tiny_run import make_model

    return make_model(tmp_path_factory.mktemp("models") / "model")


@pytest.fixture
def root(tmp_path, tiny_model) -> Path:
    """A GAVEL_ROOT with the tiny policy and the prepared data of run `tiny`."""
    make_tree(tmp_path, tiny_model)
    return tmp_path


def make_tree(root: Path, model: Path) -> Path:
    from tiny_run import RUBRIC

    (root / "model").symlink_to(model)
    data = root / "runs" / "tiny" / "data"
    data.mkdir(parents=True)
    (data.parent / "rubric.json").write_text(json.dumps(RUBRIC))
    sizes = {"train": 8, "eval": 4, "audit": 4}
    start = 0
    for split, size in sizes.items():
        rows = [
            {
                "id": f"{split}-{n}",
                "prompt": f"{start + n}+1=",
                "ground_truth": str(start + n + 1),
                "meta": {"kind": "sum", "solution": "long " * 40},
            }
            for n in range(size)
        ]
        start += size
        (data / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return root
