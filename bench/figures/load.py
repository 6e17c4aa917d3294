"""A closed loop of calls over HTTP, with the library and the settings of the trainer's own client."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import aiohttp

Body = Callable[[int], bytes]


class Refused(Exception):
    """An answer other than 200."""


@dataclass(frozen=True)
class Load:
    """What a client saw, seconds: latency of each call, when each ended (in order), and duration of all."""

    latencies_s: list[float]
    ends_s: list[float]
    wall_s: float

    def percentile(self, share: float) -> float:
        """Return the latency, in seconds, that `share` of the calls do not exceed."""
        ordered = sorted(self.latencies_s)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]

    def steady_per_s(self, in_flight: int) -> float:
        """Return calls a second between the first `in_flight` ends and the last ones.

        Outside of them fewer calls are under way. Raises ValueError where nothing is between.
        """
        inner = self.ends_s[in_flight - 1 : -in_flight]
        if len(inner) < 2:
            raise ValueError(f"Expected more than {2 * in_flight} calls, found {len(self.ends_s)}.")
        return (len(inner) - 1) / (inner[-1] - inner[0])


def call(
    url: str, key: str, body: Body, *, calls: int, in_flight: int, first: int = 0, spread_s: float = 0.0
) -> Load:
    """Send `calls` bodies, numbered from `first`, `in_flight` at a time; each answer is read and parsed.

    `spread_s` spreads the first calls over that time: completions end one by one, and callers that begin
    together would stay in step. Raises Refused.
    """
    return asyncio.run(_call(url, key, [body(first + n) for n in range(calls)], in_flight, spread_s))


async def _call(url: str, key: str, bodies: list[bytes], in_flight: int, spread_s: float) -> Load:
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    latencies: list[float] = []
    ends: list[float] = []
    waiting = iter(bodies)

    async def one_after_another(session: aiohttp.ClientSession, delay_s: float) -> None:
        await asyncio.sleep(delay_s)
        for body in waiting:
            began = time.perf_counter()
            async with session.post(url, data=body) as response:
                content = await response.read()
            if response.status != 200:
                raise Refused(f"{url}: HTTP {response.status}: {content[:300]!r}")
            _parsed(content)
            latencies.append(time.perf_counter() - began)
            ends.append(time.perf_counter() - all_began)

    timeout = aiohttp.ClientTimeout(total=None)
    connector = aiohttp.TCPConnector(limit=in_flight)
    async with aiohttp.ClientSession(connector=connector, headers=headers, timeout=timeout) as session:
        all_began = time.perf_counter()
        callers = (one_after_another(session, n * spread_s / in_flight) for n in range(in_flight))
        await asyncio.gather(*callers)
        return Load(latencies, ends, time.perf_counter() - all_began)


def _parsed(content: bytes) -> dict[str, Any]:
    return json.loads(content)
