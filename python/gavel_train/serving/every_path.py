"""Asks for the server's key on every path but /health.

vLLM's own check covers /v1 and three other prefixes. Its LoRA routes are also mounted at /adapters, and its
chat at /invocations, where every user of the machine could load other weights under the policy's name.
"""

from __future__ import annotations

import os
import secrets

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

# Health checks ask this path; its answer holds no data.
_OPEN = "/health"


class KeyOnEveryPath:
    """ASGI middleware for vLLM's --middleware; the key is the one that vLLM itself reads, VLLM_API_KEY."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._expected = f"Bearer {os.environ.get('VLLM_API_KEY', '')}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 401 in the app's place to a request without the key."""
        asked = scope["type"] in ("http", "websocket") and scope["path"] != _OPEN
        if asked and os.environ.get("VLLM_API_KEY"):
            given = Headers(scope=scope).get("authorization", "").encode()
            if not secrets.compare_digest(given, self._expected):
                await JSONResponse({"error": "Unauthorized"}, status_code=401)(scope, receive, send)
                return
        await self._app(scope, receive, send)
