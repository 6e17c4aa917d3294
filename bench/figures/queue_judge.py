"""A judge that is a queue: it answers as the gateway does, one call after the other, and computes nothing."""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection

from aiohttp import web

from figures.schedule import shares
from gavel_train.contracts import Grade, GradeRequest


class QueueJudge:
    """The calls of a step take `step_s` seconds together; `group` is the number of completions a prompt."""

    def __init__(self, calls: int, group: int) -> None:
        self._shares = shares(calls)
        self._group = group
        self._step_s = 0.0
        self._free_at = 0.0

    async def set_load(self, request: web.Request) -> web.Response:
        """Set `step_s` for the calls that follow."""
        self._step_s = (await request.json())["step_s"]
        return web.Response()

    async def grade(self, request: web.Request) -> web.Response:
        """Answer when the call's turn in the queue is over; the score follows from the text."""
        body = await request.read()
        asked = GradeRequest.model_validate_json(body)
        _, _, group, rollout = asked.occasion.split(":")
        now = time.monotonic()
        # Reckoned, not slept one by one: what a timer is late by must not add up over a step.
        self._free_at = (
            max(self._free_at, now) + self._step_s * self._shares[int(group) * self._group + int(rollout)]
        )
        await asyncio.sleep(self._free_at - now)
        score = zlib.crc32(asked.completion.encode()) % 10
        grade = Grade(
            trace_keys=[hashlib.sha256(body).hexdigest()],
            verdict="scored",
            score=score,
            value=score,
            value_rule="score",
            p_pass=float(score >= 5),
            confidence=None,
            distribution=None,
            off_scale_mass=None,
            reasoning=None,
            replayed=False,
            latency_ms=1000 * (time.monotonic() - now),
        )
        return web.Response(text=grade.model_dump_json(), content_type="application/json")


@contextmanager
def queue_judge(calls: int, group: int, core: int | None = None) -> Iterator[str]:
    """Yield the URL of a judge in a process of its own, on one core."""
    spawn = get_context("spawn")
    here, there = spawn.Pipe()
    process = spawn.Process(target=_serve, args=(calls, group, core, there), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{here.recv()}"
    finally:
        process.terminate()
        process.join()


def _serve(calls: int, group: int, core: int | None, to: Connection) -> None:
    if core is not None:
        os.sched_setaffinity(0, {core})
    asyncio.run(_listen(QueueJudge(calls, group), to))


async def _listen(judge: QueueJudge, to: Connection) -> None:
    app = web.Application()
    app.add_routes([web.post("/v1/grade", judge.grade), web.post("/load", judge.set_load)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=512).start()
    to.send(runner.addresses[0][1])
    await asyncio.Event().wait()
