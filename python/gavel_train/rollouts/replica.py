"""One server that samples rollouts: where it is now, its adapters, and its completions as they end."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, Literal

import httpx2
import openai

from gavel_train.contracts import Endpoint
from gavel_train.rollouts.adapters import Adapter
from gavel_train.rollouts.engine import Sampling

# A loopback connect answers at once; that of a server with thousands of open requests may queue.
_CONNECT_TIMEOUT_S = 10.0
# vLLM reads an adapter of gigabytes from a network filesystem within this time.
_LOAD_TIMEOUT_S = 300.0
# A busy server on two cores may take seconds to answer.
_HEALTH_TIMEOUT_S = 5.0
_SERVER_ERRORS = range(500, 600)
_KEY = re.compile(r"gavel-[A-Za-z0-9_-]{32}")
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


class ReplicaAway(Exception):
    """The server did not answer, or it ended before all of its completions had."""


class AdapterMissing(Exception):
    """The server does not know the adapter: it was started again, or never got it."""


class ReplicaRefused(Exception):
    """The server refuses what it was asked: repeating it would be refused again."""


@dataclass(frozen=True)
class Sampled:
    """One of the completions of a request; `choice` counts them from 0."""

    choice: int
    token_ids: list[int]
    logprobs: list[float]
    ended: Literal["stop", "length"]


@dataclass(frozen=True)
class _Connection:
    base_url: str
    http: httpx2.AsyncClient
    openai: openai.AsyncOpenAI


class Replica:
    """Asks the server that `endpoint_file` names; that file is read again after every failure."""

    def __init__(self, endpoint_file: Path) -> None:
        self._endpoint_file = endpoint_file
        self._connection: _Connection | None = None

    async def load(self, adapter: Adapter) -> None:
        """Load an adapter; one that is there already stays. Raises ReplicaAway or ReplicaRefused."""
        to = self._connected()
        status, text = await self._post(
            to, "load_lora_adapter", {"lora_name": adapter.name, "lora_path": str(adapter.folder)}
        )
        if status == HTTPStatus.OK or "already been loaded" in text:
            return
        # vLLM says 500 of an adapter that its engine cannot load, and of an engine that is gone.
        if status in _SERVER_ERRORS and not await self._is_healthy(to):
            raise self._away(to, f"HTTP {status}: {text[:300]}")
        raise ReplicaRefused(f"adapter {adapter.name}: HTTP {status}: {text[:300]}")

    async def unload(self, name: str) -> None:
        """Unload an adapter; a server that does not have it, or is away, has nothing to unload."""
        try:
            await self._post(self._connected(), "unload_lora_adapter", {"lora_name": name})
        except ReplicaAway:
            return

    async def sample(
        self,
        adapter: Adapter,
        prompt: Sequence[int],
        n: int,
        sampling: Sampling,
        seed: int,
        answers: Callable[[], None],
    ) -> AsyncIterator[Sampled]:
        """Yield `n` completions of one prompt, each when it ends; `answers` is called as tokens arrive.

        Raises AdapterMissing, ReplicaAway or ReplicaRefused, maybe after some of them.
        """
        token_ids: list[list[int]] = [[] for _ in range(n)]
        logprobs: list[list[float]] = [[] for _ in range(n)]
        left = n
        to = self._connected()
        try:
            stream: Any = await to.openai.completions.create(
                model=adapter.name,
                prompt=list(prompt),
                n=n,
                max_tokens=sampling.max_new_tokens,
                temperature=sampling.temperature,
                top_p=sampling.top_p,
                stop=list(sampling.stop_strings) or None,
                logprobs=0,
                seed=seed,
                stream=True,
                extra_body={
                    "top_k": sampling.top_k,
                    "min_p": sampling.min_p,
                    "repetition_penalty": sampling.repetition_penalty,
                    # Exactly the tokens that end a completion of every other engine.
                    "stop_token_ids": sorted(sampling.stop_ids),
                    "ignore_eos": True,
                    "skip_special_tokens": False,
                    "return_token_ids": True,
                },
            )
            async for chunk in stream:
                answers()
                for choice in chunk.choices:
                    token_ids[choice.index] += choice.token_ids
                    logprobs[choice.index] += choice.logprobs.token_logprobs
                    if choice.finish_reason in ("stop", "length"):
                        left -= 1
                        at = choice.index
                        yield Sampled(at, token_ids[at], logprobs[at], choice.finish_reason)
        except openai.NotFoundError:
            raise AdapterMissing(adapter.name) from None
        except (openai.BadRequestError, openai.UnprocessableEntityError) as error:
            raise ReplicaRefused(f"HTTP {error.status_code}: {error.message[:300]}") from None
        except (openai.OpenAIError, httpx2.HTTPError) as error:
            raise self._away(to, f"{type(error).__name__}: {error}") from None
        if left > 0:
            raise self._away(to, f"{left} of {n} completions had not ended when the answer did")

    async def is_healthy(self, *, within_s: float) -> bool:
        """Return whether the server answers soon enough, and says that it is well."""
        try:
            return await self._is_healthy(self._connected(), within_s)
        except ReplicaAway:
            return False

    async def close(self) -> None:
        """Close the connections."""
        if self._connection is not None:
            await self._connection.http.aclose()

    def _connected(self) -> _Connection:
        if self._connection is None:
            self._connection = _connect(*read_endpoint(self._endpoint_file))
        return self._connection

    def _away(self, failed: _Connection, reason: str) -> ReplicaAway:
        # Where it is, and its key, may be others the next time; another request may know already.
        if self._connection is failed:
            self._connection = None
        return ReplicaAway(f"{self._endpoint_file.stem}: {reason}")

    async def _is_healthy(self, to: _Connection, within_s: float = _HEALTH_TIMEOUT_S) -> bool:
        try:
            answer = await to.http.get(f"{to.base_url.removesuffix('/v1')}/health", timeout=within_s)
        except httpx2.HTTPError:
            return False
        return answer.status_code == HTTPStatus.OK

    async def _post(self, to: _Connection, path: str, body: dict[str, str]) -> tuple[int, str]:
        try:
            answer = await to.http.post(f"{to.base_url}/{path}", json=body, timeout=_LOAD_TIMEOUT_S)
        except httpx2.HTTPError as error:
            raise self._away(to, f"{type(error).__name__}: {error}") from None
        if answer.status_code == HTTPStatus.UNAUTHORIZED:
            # Another server has its old port.
            raise self._away(to, f"HTTP {answer.status_code}: {answer.text[:300]}")
        return answer.status_code, answer.text


def read_endpoint(file: Path) -> tuple[str, str]:
    """Return a server's base URL, up to and including /v1, and its key; raises ReplicaAway without one."""
    try:
        endpoint = Endpoint.model_validate_json(file.read_bytes())
        base_url = str(endpoint.base_url).rstrip("/")
        return base_url, _key_of(endpoint, base_url)
    except (OSError, ValueError) as error:
        raise ReplicaAway(f"{file.name}: {error}") from None


def _key_of(endpoint: Endpoint, base_url: str) -> str:
    """Return the key of a server that gavel started; raises ValueError where a file would have another sent.

    The same rule as in src/gateway/endpoint.ts and src/serving/key-file.ts.
    """
    if endpoint.api_key_file is None:
        return "none"
    host = httpx2.URL(base_url).host
    if host not in _LOOPBACK:
        raise ValueError(f"Expected api_key_file only beside a base_url on this machine, found {host}.")
    key = Path(endpoint.api_key_file).read_text()
    if not _KEY.fullmatch(key):
        raise ValueError(
            f"Expected the key of a model server in {endpoint.api_key_file}, found another text."
        )
    return key


def _connect(base_url: str, key: str) -> _Connection:
    http = httpx2.AsyncClient(
        # The server is on this machine, whatever proxy the environment names.
        trust_env=False,
        # Plain HTTP on the loopback: no certificates to read, which takes 30 ms a client.
        verify=False,
        # No deadline for a completion: the worker watches the server's health and ends one that hangs.
        timeout=httpx2.Timeout(None, connect=_CONNECT_TIMEOUT_S),
        limits=httpx2.Limits(max_connections=None),
        headers={"authorization": f"Bearer {key}"},
    )
    # A retry of the whole request would pay again for the completions that have ended.
    return _Connection(
        base_url, http, openai.AsyncOpenAI(base_url=base_url, api_key=key, max_retries=0, http_client=http)
    )
