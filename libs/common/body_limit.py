"""The largest body that a service takes at once."""

from collections.abc import Sequence
from contextlib import suppress

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from libs.common.problems import TooLarge, problem_response


class BodyLimit:
    """Refuses bodies over a size; streams (`unlimited`) have each line bounded instead.

    Starlette's own middleware answers in plain text, and not with a problem document.
    """

    unlimited: Sequence[str] = ("/v1/registers",)

    def __init__(self, app: ASGIApp, bytes_max: int) -> None:
        self._app = app
        self._bytes_max = bytes_max

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count the body's bytes as they come."""
        if scope["type"] != "http" or scope["path"].endswith(tuple(self.unlimited)):
            await self._app(scope, receive, send)
            return
        problem = TooLarge(f"Send at most {self._bytes_max} bytes in one body.")
        seen = 0
        answering = False

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self._bytes_max:
                raise problem
            return message

        async def sent(message: Message) -> None:
            # Whoever reads the body may take `problem` for a fault of its own and answer that.
            nonlocal answering
            answering |= seen <= self._bytes_max
            if answering:
                await send(message)

        with suppress(TooLarge):
            await self._app(scope, counted, sent)
        if seen > self._bytes_max and not answering:
            await problem_response(problem)(scope, receive, send)
