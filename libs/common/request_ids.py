"""Request ids: each request has one, in its answer and in every log line that it causes."""

import time
from uuid import UUID, uuid4

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = structlog.get_logger()

HEADER = "X-Request-Id"
UNTOLD = ("/healthz", "/readyz", "/metrics")
"""Asked every few seconds, and told of elsewhere."""


def present() -> str | None:
    """Return the id of the request that is being answered, if one is."""
    found: str | None = structlog.contextvars.get_contextvars().get("request")
    return found


class RequestIds:
    """Takes the caller's id if it is a UUID, and gives one if not: other text could hold a name.

    Each answer is a line of the log, with the route and not the path, which may name a child.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Name the request, and tell of its answer."""
        if scope["type"] != "http" or scope["path"].endswith(UNTOLD):
            await self._app(scope, receive, send)
            return
        request = _id_of(Headers(scope=scope).get(HEADER))
        structlog.contextvars.bind_contextvars(request=request)
        began = time.perf_counter()

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[HEADER] = request
                took_ms = round((time.perf_counter() - began) * 1000, 1)
                route = getattr(scope.get("route"), "path", None)
                told = {"method": scope["method"], "route": route, "status": message["status"]}
                log.info("request answered", took_ms=took_ms, **told)
            await send(message)

        await self._app(scope, receive, sent)


def _id_of(asked: str | None) -> str:
    try:
        return str(UUID(asked or ""))
    except ValueError:
        return str(uuid4())
