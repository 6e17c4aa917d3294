"""The trainer's side of the gateway: grading calls in the background, in flight while tensors are worked on.

The gateway alone retries the model and waits for a judge that is away; it holds the request open
meanwhile, so a call has no deadline here. What this side survives is the gateway itself going away:
it may come back on another port, which `endpoints/gateway-<stage>.json` then names.
"""

from __future__ import annotations

import asyncio
import errno
import json
import os
import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
from pydantic import BaseModel, ValidationError

from gavel_train.contracts import (
    Endpoint,
    Grade,
    GradeRequest,
    MessagesRequest,
    RenderedMessages,
    StageRequest,
)
from gavel_train.run import progress
from gavel_train.run.background_loop import BackgroundLoop
from gavel_train.run.directory import run_dir_of
from gavel_train.run.outcome import BadRequest, JudgeAway

Reply = TypeVar("Reply", bound=BaseModel)

# A loopback connect answers at once; another node's may queue behind thousands of open calls.
_CONNECT_TIMEOUT_S = 10.0
# Long enough for a worker to notice a dead gateway, start another and repair its ledger segment.
GATEWAY_AWAY_LIMIT_S = 600.0
_FIRST_PAUSE_S = 0.2
_LONGEST_PAUSE_S = 2.0
_WAITING_LINE_EVERY_S = 1.0


class GatewayAway(Exception):
    """The gateway could not be reached for longer than a restart takes."""


class GatewayFailed(Exception):
    """The gateway itself failed at one request: repeating it would pay for the same failure again."""


@dataclass(frozen=True)
class Answer:
    """What the gateway answered: HTTP status and body."""

    status_code: int
    content: bytes


class GatewayClient:
    """Sends requests from a thread of its own; the answer to a grading request is a Future of a Grade.

    A Future fails with JudgeAway (the outage limit is over), BadRequest (the gateway refuses the
    request), GatewayFailed (naming the occasion), or GatewayAway.
    """

    def __init__(
        self,
        url: str,
        api_key: str,
        *,
        concurrency: int,
        endpoint_file: Path | None = None,
        away_limit_s: float = GATEWAY_AWAY_LIMIT_S,
    ) -> None:
        self.base_url = url.rstrip("/").removesuffix("/v1") + "/v1"
        self._endpoint_file = endpoint_file
        self._away_limit_s = away_limit_s
        self._last_line_at = 0.0
        self._loop = BackgroundLoop("gavel-gateway")
        self._slots = asyncio.Semaphore(concurrency)
        # Made in the loop's own thread at the first call: aiohttp binds a session to the running loop.
        self._http: aiohttp.ClientSession | None = None
        self._headers = {"authorization": f"Bearer {api_key}", "content-type": "application/json"}
        self._concurrency = concurrency

    @classmethod
    def for_request(cls, request: StageRequest, *, concurrency: int | None = None) -> GatewayClient:
        """Make the client that a stage's request asks for; the key comes from GAVEL_API_KEY."""
        if request.gateway_url is None:
            raise BadRequest("gateway_url", f"stage {request.stage}: expected the URL of a gateway, got null")
        key = os.environ.get("GAVEL_API_KEY")
        if not key:
            raise BadRequest(None, "expected the gateway's key in GAVEL_API_KEY, found none")
        return cls(
            str(request.gateway_url),
            key,
            concurrency=concurrency or request.spec.judge.concurrency,
            endpoint_file=run_dir_of(request) / "endpoints" / f"gateway-{request.stage}.json",
        )

    def submit(self, request: GradeRequest) -> Future[Grade]:
        """Start one grading call; returns at once."""
        return self._loop.start(self._call("grade", request, Grade))

    def grade(self, request: GradeRequest) -> Grade:
        """Grade one completion and wait for its verdict."""
        return self.submit(request).result()

    def render_many(self, requests: Sequence[MessagesRequest]) -> list[RenderedMessages]:
        """Have the messages of all requests rendered, in order; the first failure is raised."""
        calls = [self._loop.start(self._call("messages", request, RenderedMessages)) for request in requests]
        return [call.result() for call in calls]

    def grade_many(self, requests: Sequence[GradeRequest]) -> list[Grade]:
        """Grade all, as many at once as the client's concurrency allows; the first failure is raised."""
        return [future.result() for future in [self.submit(request) for request in requests]]

    def close(self) -> None:
        """End the client's calls, its connections and its thread; a second time does nothing."""
        self._loop.close(self._disconnect)

    async def _call(self, path: str, request: BaseModel, expected: type[Reply]) -> Reply:
        body = request.model_dump_json()
        async with self._slots:
            away_since: float | None = None
            pause_s = _FIRST_PAUSE_S
            while True:
                try:
                    async with self._session().post(f"{self.base_url}/{path}", data=body) as response:
                        answer = Answer(response.status, await response.read())
                    if answer.status_code == 200:
                        return _parse(expected, answer, request)
                    if answer.status_code != 401 or self._endpoint_file is None:
                        _raise_if_final(answer, request)
                    # Else another process has the port that the gateway lost: the file will name the new one.
                    reason = f"HTTP {answer.status_code}: {_message(answer)}"
                except (aiohttp.ClientError, TimeoutError, OSError) as error:
                    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
                        raise
                    reason = f"{type(error).__name__}: {error}"
                away_since = away_since or time.monotonic()
                away_s = time.monotonic() - away_since
                if away_s > self._away_limit_s:
                    raise GatewayAway(f"{self.base_url}: no answer for {away_s:.0f} s ({reason})")
                self._say_waiting(away_s)
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
                self._reread_endpoint()

    def _session(self) -> aiohttp.ClientSession:
        if self._http is None:
            self._http = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=self._concurrency),
                headers=self._headers,
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_TIMEOUT_S),
            )
        return self._http

    async def _disconnect(self) -> None:
        if self._http is not None:
            await self._http.close()

    def _say_waiting(self, away_s: float) -> None:
        # Dozens of calls wait together; one line a second is enough for all of them.
        now = time.monotonic()
        if now - self._last_line_at >= _WAITING_LINE_EVERY_S:
            self._last_line_at = now
            progress.waiting("gateway", away_s)

    def _reread_endpoint(self) -> None:
        if self._endpoint_file is None:
            return
        try:
            endpoint = Endpoint.model_validate_json(self._endpoint_file.read_bytes())
        except (OSError, ValueError):
            return
        self.base_url = str(endpoint.base_url).rstrip("/")


def _parse(expected: type[Reply], answer: Answer, request: BaseModel) -> Reply:
    try:
        return expected.model_validate_json(answer.content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(map(str, first["loc"])) or "body"
        raise GatewayFailed(
            f"{_name_of(request)}: expected a {expected.__name__} from the gateway, "
            f"found one whose {field} is none: {first['msg']}."
        ) from None


def _name_of(request: BaseModel) -> str:
    """The occasion of a grading request, which names its row."""
    return str(getattr(request, "occasion", type(request).__name__))


def _raise_if_final(response: Answer, request: BaseModel) -> None:
    """Raise what a restart of the gateway does not change."""
    if response.status_code == 500 and _error(response).get("code") == "internal":
        # Without the gateway's own code it is a stranger's answer, on a port that the gateway lost.
        raise GatewayFailed(f"{_name_of(request)}: {_message(response)} (HTTP 500; its log says where)")
    if response.status_code == 503 and _error(response).get("code") == "judge_away":
        raise JudgeAway(_message(response))
    if response.status_code == 502 and _error(response).get("code") == "judge_misconfigured":
        raise BadRequest("judge", _message(response))
    if response.status_code == 507:
        raise OSError(errno.ENOSPC, f"No space left on device under the ledger: {_message(response)}")
    if response.status_code == 401:
        raise GatewayAway("the gateway refuses the key in GAVEL_API_KEY (HTTP 401)")
    if 400 <= response.status_code < 500:
        raise BadRequest(
            None, f"the gateway refuses the request (HTTP {response.status_code}): {_message(response)}"
        )


def _error(response: Answer) -> dict[str, Any]:
    try:
        error = json.loads(response.content).get("error")
    except (ValueError, AttributeError):
        return {}
    return error if isinstance(error, dict) else {}


def _message(response: Answer) -> str:
    return str(_error(response).get("message") or response.content[:200].decode(errors="replace"))
