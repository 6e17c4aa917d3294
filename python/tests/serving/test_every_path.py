import asyncio

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from gavel_train.serving.every_path import KeyOnEveryPath


def ask(method: str, path: str, key: str | None) -> int:
    async def answered():
        async def say(_):
            return PlainTextResponse("done")

        app = Starlette(routes=[Route("/{rest:path}", say, methods=["GET", "POST", "DELETE"])])
        transport = httpx2.ASGITransport(app=KeyOnEveryPath(app))
        async with httpx2.AsyncClient(transport=transport, base_url="http://server") as client:
            headers = {} if key is None else {"authorization": f"Bearer {key}"}
            return (await client.request(method, path, headers=headers)).status_code

    return asyncio.run(answered())


@pytest.fixture(autouse=True)
def _key(monkeypatch):
    monkeypatch.setenv("VLLM_API_KEY", "gavel-key")


@pytest.mark.parametrize(
    "method, path",
    [("POST", "/adapters"), ("DELETE", "/adapters/x"), ("POST", "/invocations"), ("POST", "/v1/completions")],
)
def test_every_path_asks_for_the_key(method, path):
    assert ask(method, path, None) == 401
    assert ask(method, path, "gavel-other") == 401
    assert ask(method, path, "gavel-key") == 200


def test_health_is_open():
    assert ask("GET", "/health", None) == 200


def test_a_server_without_a_key_asks_for_none(monkeypatch):
    monkeypatch.delenv("VLLM_API_KEY")
    assert ask("POST", "/v1/completions", None) == 200
