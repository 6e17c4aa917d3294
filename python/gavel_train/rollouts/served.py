"""The engine `served`: completions come from vLLM servers, each step's adapter under a name of its own.

A server may end at any moment. What it has finished is kept; the rest is asked of another server, or of the
same one once it is back, which first gets the adapter again.
"""

from __future__ import annotations

import asyncio
import time
import zlib
from collections.abc import Generator, Sequence
from concurrent.futures import wait
from pathlib import Path
from queue import Empty, SimpleQueue

from gavel_train.rollouts.adapters import Adapter
from gavel_train.rollouts.engine import Completion, Sampling
from gavel_train.rollouts.replica import AdapterMissing, Replica, ReplicaAway
from gavel_train.run import lifetime, progress
from gavel_train.run.background_loop import BackgroundLoop
from gavel_train.run.outcome import PolicyAway

_FIRST_PAUSE_S = 0.2
_LONGEST_PAUSE_S = 2.0
# How soon SIGTERM ends the wait for completions.
_STOP_POLL_S = 0.25
# Its worker finds a server that hangs within half a minute. The wait has to be reported before that, and
# before the trainer's own deadline. A server that is only slow is reported too, which costs nothing.
_HEALTH_INTERVAL_S = 1.0
_HEALTH_TIMEOUT_S = 3.0
# Below this a server is not away; from then on the wait is said about once a second.
_AWAY_S = 5.0
_SAY_EVERY_S = 1.0


class ServedEngine:
    """Samples from the adapter that was published last, on all servers alike.

    Equal prompts are one request for as many completions. `away_limit_s` is how long no server may answer
    before `generate` raises PolicyAway. A server that refuses an adapter or a request raises ReplicaRefused.
    """

    def __init__(self, endpoint_files: Sequence[Path], *, away_limit_s: float) -> None:
        self._replicas = [Replica(path) for path in endpoint_files]
        self._away_limit_s = away_limit_s
        self._away_since: float | None = None
        self._published: list[Adapter] = []
        self._loop = BackgroundLoop("gavel-served")

    @property
    def adapter(self) -> Adapter:
        """The adapter that the next completions come from."""
        return self._published[-1]

    @property
    def away_s(self) -> float:
        """Seconds since a server answered last, while one is away or hangs; 0 while all answer."""
        since = self._away_since
        return 0.0 if since is None else time.monotonic() - since

    def publish(self, adapter: Adapter, *, keep: int) -> None:
        """Load an adapter onto every server; unload all but the newest `keep` others.

        A server that is away gets it when it is asked for completions. Ends early where SIGTERM arrives.
        """
        self._published.append(adapter)
        old = self._published[: -1 - keep]
        self._published = self._published[-1 - keep :]
        loading = self._loop.start(self._load_everywhere(adapter, [one.name for one in old]))
        began = said_at = time.monotonic()
        while not wait([loading], timeout=_STOP_POLL_S).done:
            if lifetime.stop_requested():
                loading.cancel()
                return
            now = time.monotonic()
            if now - began > _AWAY_S and now - said_at > _SAY_EVERY_S:
                said_at = now
                progress.waiting("policy", now - began)
        loading.result()

    def generate(
        self, prompts: Sequence[Sequence[int]], sampling: Sampling
    ) -> Generator[Completion, None, None]:
        """Yield one completion per prompt, each when it ends (see `engine.Engine`).

        They come from the adapter that is the newest now, whatever is published before they are read.
        Stops early where SIGTERM arrives. Raises PolicyAway and ReplicaRefused.
        """
        return self._stream(prompts, sampling, self.adapter)

    def _stream(
        self, prompts: Sequence[Sequence[int]], sampling: Sampling, adapter: Adapter
    ) -> Generator[Completion, None, None]:
        done: SimpleQueue[Completion | BaseException] = SimpleQueue()
        call = self._loop.start(self._all(prompts, sampling, adapter, done))
        try:
            left = len(prompts)
            while left > 0:
                if lifetime.stop_requested():
                    return
                try:
                    one = done.get(timeout=_STOP_POLL_S)
                except Empty:
                    continue
                if isinstance(one, BaseException):
                    raise one
                left -= 1
                yield one
        finally:
            call.cancel()

    def close(self) -> None:
        """End the requests, the connections and the thread; a second time does nothing."""
        self._loop.close(self._disconnect)

    async def _disconnect(self) -> None:
        await asyncio.gather(*(replica.close() for replica in self._replicas))

    async def _load_everywhere(self, adapter: Adapter, old: Sequence[str]) -> None:
        async def load(replica: Replica) -> None:
            for name in old:
                await replica.unload(name)
            try:
                await replica.load(adapter)
            except ReplicaAway:
                # `_group` loads it when the server is back.
                return

        await asyncio.gather(*map(load, self._replicas))

    async def _all(
        self,
        prompts: Sequence[Sequence[int]],
        sampling: Sampling,
        adapter: Adapter,
        done: SimpleQueue[Completion | BaseException],
    ) -> None:
        groups: dict[tuple[int, ...], list[int]] = {}
        for index, prompt in enumerate(prompts):
            groups.setdefault(tuple(prompt), []).append(index)
        calls = [
            self._group(number, list(prompt), rows, sampling, adapter, done)
            for number, (prompt, rows) in enumerate(groups.items())
        ]
        watch = asyncio.create_task(self._watch_health())
        try:
            await asyncio.gather(*calls)
            # Whatever the last check of their health said: all completions are there.
            self._answers()
        except BaseException as error:
            done.put(error)
            raise
        finally:
            watch.cancel()

    async def _watch_health(self) -> None:
        """Count a server as away that is asked for completions, and neither answers nor ends."""
        well_at = time.monotonic()
        while True:
            await asyncio.sleep(_HEALTH_INTERVAL_S)
            asked_at = time.monotonic()
            checks = (replica.is_healthy(within_s=_HEALTH_TIMEOUT_S) for replica in self._replicas)
            if all(await asyncio.gather(*checks)):
                well_at = asked_at
            else:
                self._away_since = self._away_since or well_at

    async def _group(
        self,
        number: int,
        prompt: list[int],
        rows: list[int],
        sampling: Sampling,
        adapter: Adapter,
        done: SimpleQueue[Completion | BaseException],
    ) -> None:
        """Sample one group, from one server after the other until all of its completions have ended."""
        left, tries, pause_s = list(rows), 0, _FIRST_PAUSE_S
        loaded_again = False
        while left:
            replica = self._replicas[(number + tries) % len(self._replicas)]
            # Another seed at each try: a request for the completions that are left draws others.
            seed = zlib.crc32(f"{sampling.seed}:{number}:{tries}".encode())
            asked = list(left)
            try:
                async for one in replica.sample(adapter, prompt, len(asked), sampling, seed, self._answers):
                    loaded_again = False
                    row = asked[one.choice]
                    left.remove(row)
                    done.put(Completion(row, one.token_ids, one.ended, one.logprobs))
            except (AdapterMissing, ReplicaAway) as error:
                # A server that was started again gets the adapter. One that still does not know it then is
                # no use, whatever it answers.
                if isinstance(error, AdapterMissing) and not loaded_again:
                    loaded_again = True
                    if await self._load_again(replica, adapter):
                        continue
                loaded_again = False
                tries += 1
                self._away_since = self._away_since or time.monotonic()
                if self.away_s > self._away_limit_s:
                    raise PolicyAway(
                        f"no server of the policy has answered for {self.away_s:.0f} s ({error})"
                    ) from None
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    async def _load_again(self, replica: Replica, adapter: Adapter) -> bool:
        try:
            await replica.load(adapter)
        except ReplicaAway:
            return False
        return True

    def _answers(self) -> None:
        self._away_since = None
