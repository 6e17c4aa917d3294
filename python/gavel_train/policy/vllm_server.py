"""TRL's server mode against the server that gavel starts: where it is, its key, and ports of this machine."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path
from typing import Any

from requests.adapters import HTTPAdapter
from trl.generation import vllm_generation
from trl.generation.vllm_client import VLLMClient

from gavel_train.rollouts.replica import ReplicaAway, read_endpoint
from gavel_train.run import lifetime, progress
from gavel_train.run.outcome import PolicyAway

_LOOPBACK = "127.0.0.1"
_POLL_S = 0.5
# The worker suspends its deadline for as long as a rank says that it waits.
_SAY_EVERY_S = 10.0


def use_server(config: Any, endpoint_file: Path, *, away_limit_s: float) -> None:
    """Wait for the server, and have TRL's trainer with the arguments `config` ask it with its key.

    The endpoint is published once the server is healthy. Raises PolicyAway where there is none within
    `away_limit_s`. Rank 0 alone asks the server; other ranks get the completions of it.
    """
    if lifetime.rank() != 0:
        return
    base_url, key = _wait_for(endpoint_file, away_limit_s)

    class KeyedClient(VLLMClient):
        """TRL's client, which knows no keys, and takes proxies and keys from the environment."""

        def check_server(self, total_timeout: float = 0.0, retry_interval: float = 2.0) -> None:
            """Set the session up: TRL calls this before its first request."""
            self.session.trust_env = False
            self.session.headers["Authorization"] = f"Bearer {key}"
            # A push that is sent again waits for weights that the trainer has sent already.
            self.session.mount("http://", HTTPAdapter(max_retries=0))

    setattr(vllm_generation, "VLLMClient", KeyedClient)  # noqa: B010
    config.vllm_server_base_url = base_url.removesuffix("/v1")
    config.vllm_group_port = _free_port()
    # The address at which vLLM's workers meet the trainer; it would be one that other machines can reach.
    os.environ["VLLM_HOST_IP"] = _LOOPBACK


def _wait_for(endpoint_file: Path, away_limit_s: float) -> tuple[str, str]:
    began = said = time.monotonic()
    while True:
        try:
            return read_endpoint(endpoint_file)
        except ReplicaAway as error:
            now = time.monotonic()
            if now - began > away_limit_s:
                raise PolicyAway(f"no server of the policy for {away_limit_s:g} s: {error}") from None
            if now - said > _SAY_EVERY_S:
                progress.waiting("policy", now - began)
                said = now
            time.sleep(_POLL_S)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind((_LOOPBACK, 0))
        return free.getsockname()[1]
