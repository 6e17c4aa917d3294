"""A gateway that answers /v1/grade from a function and writes the ledger, as the real one does."""

import hashlib
import json
import threading
from collections.abc import Callable
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tiny_run import ledger_line, numbers, trace


class Server(ThreadingHTTPServer):
    # A client opens hundreds of connections at once; beyond the default of 5 each waits a second.
    request_queue_size = 512


@contextmanager
def serving(answer: Callable[[dict], int | None], segment: Path):
    """Yield the URL; `answer(request)` gives the score, None for an unparseable reply."""
    lock = threading.Lock()
    segment.parent.mkdir(parents=True, exist_ok=True)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
            score = answer(asked)
            kind = "unparseable" if score is None else "scored"
            line = trace(
                asked["prompt"], asked["completion"], score, f"{asked['occasion']}:0", model_digest="d" * 64
            )
            line |= {"model_digest": "d" * 64, "stage": "audit", "role": asked["role"], "mode": asked["mode"]}
            line["key"] = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
            with lock, segment.open("a") as ledger:
                ledger.write(ledger_line(line))
            grade = {
                "trace_keys": [line["key"]],
                "verdict": kind,
                **numbers(score),
                "reasoning": None,
                "replayed": False,
                "latency_ms": 1.0,
            }
            body = json.dumps(grade).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
