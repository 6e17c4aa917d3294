"""`gateway`: what gavel's gateway adds to a judge call, and how many calls a second it lets through.

The direct side sends the chat completion that the gateway sends for such a grading request. Both have the
same client. Each reply is read and parsed on every side; the gateway's ledger is on.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import statistics
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from figures.figure import Figure, Ratio, compare, interleaved
from figures.load import Body, Load, call
from figures.servers import Gateway, cores, gateway, on, prepare, upstream, vllm

_LATENCY_MS = 50.0
_ADDED_AT_MOST_MS = 2.0
_THROUGHPUT_AT_LEAST = 0.95
_IN_FLIGHT = 128
# Tokens of a reply of the demo's judge, and of one that a 7B model writes.
_REPLIES = (42, 200)
_WARM_UP_CALLS, _WARM_UP_IN_FLIGHT = 640, 32
_MARK = "COMPLETION"
_PROMPT = (
    "A baker sells 14 loaves in the morning and half as many in the afternoon, at 3 dollars each. "
    "How many dollars does the baker take? End with #### and the number."
)
_ANSWER = (
    " In the afternoon 14 / 2 = 7 loaves. In all 14 + 7 = 21 loaves. They bring 21 * 3 = 63 dollars. #### 63"
)


def measure(*, quick: bool, say: Callable[[str], None]) -> list[Figure]:
    """Return the cells of latency, then that of throughput."""
    figures: list[Figure] = []
    for tokens in _REPLIES[:1] if quick else _REPLIES:
        with _over_fixed_latency(tokens) as sides:
            figures += [_latency(sides, in_flight, quick=quick) for in_flight in (1, 32)]
    figures.append(_throughput(quick=quick))
    for each in figures:
        say(f"{each.shape}: {each.sides}, ratio {each.ratio}")
    return figures


def settings(url: str, *, tokens: int) -> dict[str, Any]:
    """Return the gateway's settings of a model whose reasoned replies have `tokens` tokens."""
    # A model with random weights would end its replies anywhere.
    return {
        "base_url": url,
        "sampling": {"max_tokens": tokens},
        "concurrency": _IN_FLIGHT,
        "extra_body": {"ignore_eos": True},
    }


def grading(mode: str = "reasoned") -> Body:
    """Return the body of the grading request with a number: each grades another text, on another occasion."""
    return lambda n: _request(mode, f"call:{n}", f"{n}{_ANSWER}")


def _request(mode: str, occasion: str, completion: str) -> bytes:
    request = {"occasion": occasion, "mode": mode, "prompt": _PROMPT, "completion": completion}
    return json.dumps(request).encode()


@dataclass
class _Sides:
    """A model and a gateway over it, called from one core with the same questions.

    The first calls are spread over `spread_s`, the time of a call: those that begin together stay in step.
    """

    model_url: str
    through: Gateway
    chat: Body
    shape: str
    core: set[int]
    numbers: Iterator[int]
    spread_s: float

    def direct(self, calls: int, in_flight: int) -> Load:
        return self._call(f"{self.model_url}/chat/completions", "none", self.chat, calls, in_flight)

    def graded(self, calls: int, in_flight: int) -> Load:
        return self._call(f"{self.through.url}/grade", self.through.key, grading(), calls, in_flight)

    def proxied(self, calls: int, in_flight: int) -> Load:
        url = f"{self.through.url}/chat/completions"
        return self._call(url, self.through.key, self.chat, calls, in_flight)

    def _call(self, url: str, key: str, body: Body, calls: int, in_flight: int) -> Load:
        # No text is sent twice: a prefix cache, or the ledger, would know it.
        first = next(self.numbers) * 10**6
        with on(self.core):
            return call(url, key, body, calls=calls, in_flight=in_flight, first=first, spread_s=self.spread_s)


@contextmanager
def _over_fixed_latency(tokens: int) -> Iterator[_Sides]:
    one, other = cores()
    with tempfile.TemporaryDirectory(prefix="gavel-bench-") as folder, upstream(_LATENCY_MS, other) as url:
        run_dir = Path(folder)
        prepare(run_dir, run_dir, 0)
        with gateway(run_dir, settings(url, tokens=tokens), one, record_chat=True) as through:
            sync = _sync_ms(run_dir)
            shape = f"replies of {tokens} tokens after {_LATENCY_MS:g} ms, a sync of the disk {sync:.2f} ms"
            chat = _asked_by(through, url)
            yield _Sides(url, through, chat, shape, other, count(1), spread_s=_LATENCY_MS / 1000)


def _asked_by(through: Gateway, model_url: str) -> Body:
    """Return the chat completions that a gateway over the fixed upstream sends for grading requests."""
    url = f"{through.url}/grade"
    call(url, through.key, lambda _: _request("reasoned", "call:0", _MARK), calls=1, in_flight=1)
    with urllib.request.urlopen(f"{model_url.removesuffix('/v1')}/asked") as answer:
        asked = answer.read().decode()
    (mark,) = set(re.findall(r"\[begin ([0-9a-f]{16})\]", asked))

    def body(n: int) -> bytes:
        # The gateway marks each completion anew. One mark for all would be a longer prefix for vLLM's cache.
        marked = asked.replace(mark, hashlib.sha256(str(n).encode()).hexdigest()[:16])
        return marked.replace(_MARK, f"{n}{_ANSWER}").encode()

    return body


def _sync_ms(folder: Path) -> float:
    """Return the median time, in ms, in which the disk makes 3 KB durable."""
    times = []
    with (folder / "sync").open("wb", buffering=0) as file:
        for _ in range(100):
            began = time.perf_counter()
            file.write(b"x" * 3000)
            os.fdatasync(file.fileno())
            times.append(1000 * (time.perf_counter() - began))
    return statistics.median(times)


def _latency(sides: _Sides, in_flight: int, *, quick: bool) -> Figure:
    calls = (20 if quick else 60) * (in_flight if in_flight > 1 else 3)
    measures = {"direct": sides.direct, "grade": sides.graded, "chat": sides.proxied}
    loads: dict[str, list[Load]] = {name: [] for name in measures}
    for measured in measures.values():
        # A judge's gateway answers many calls, so that what is measured is compiled code.
        measured(_WARM_UP_CALLS, _WARM_UP_IN_FLIGHT)
    for _ in range(3 if quick else 5):
        for name, measured in measures.items():
            loads[name].append(measured(calls, in_flight))
    ms = {
        f"{name} p{round(100 * share)} ms": _median_ms(found, share)
        for share in (0.5, 0.99)
        for name, found in loads.items()
    }
    pairs = zip(loads["direct"], loads["grade"], strict=True)
    ratios = [direct.percentile(0.5) / grade.percentile(0.5) for direct, grade in pairs]
    added_ms = ms["grade p50 ms"] - ms["direct p50 ms"]
    return Figure(
        id="latency",
        shape=f"{in_flight} in flight, {sides.shape}",
        sides={**ms, "added p50 ms": round(added_ms, 2)},
        ratio=Ratio(*(round(value, 3) for value in (statistics.median(ratios), min(ratios), max(ratios)))),
        target=round(ms["direct p50 ms"] / (ms["direct p50 ms"] + _ADDED_AT_MOST_MS), 3),
        met=added_ms <= _ADDED_AT_MOST_MS,
    )


def _median_ms(loads: list[Load], share: float) -> float:
    return round(1000 * statistics.median(load.percentile(share) for load in loads), 2)


def _throughput(*, quick: bool) -> Figure:
    from figures.random_model import save

    one, other = cores()
    tokens = _REPLIES[0]
    with _over_fixed_latency(tokens) as fixed:
        chat = fixed.chat
    calls = _IN_FLIGHT * (3 if quick else 5)
    with tempfile.TemporaryDirectory(prefix="gavel-bench-") as folder:
        run_dir = Path(folder)
        model = save("25M", run_dir / "25M")
        with (
            vllm(run_dir, model, one) as url,
            gateway(run_dir, settings(url, tokens=tokens), other) as through,
        ):
            sides = _Sides(url, through, chat, "", other, count(1), spread_s=0.0)
            per_s = {"direct": sides.direct, "gateway": sides.graded}
            took = [measured(_IN_FLIGHT, _IN_FLIGHT).wall_s for measured in per_s.values()]
            sides.spread_s = statistics.mean(took)
            measures = {
                name: lambda _, measured=measured: measured(calls, _IN_FLIGHT).steady_per_s(_IN_FLIGHT)
                for name, measured in per_s.items()
            }
            found = interleaved(measures, 2 if quick else 3)
    return compare(
        "throughput",
        f"{_IN_FLIGHT} in flight, vLLM of 25M on one core, replies of {tokens} tokens, calls per s",
        found,
        ours="gateway",
        target=_THROUGHPUT_AT_LEAST,
    )
