"""HEAD: answered as GET is, without the body."""

from starlette.types import ASGIApp, Receive, Scope, Send


class HeadAsGet:
    """Takes HEAD for GET, as HTTP asks (RFC 9110, 9.3.2); the server leaves the body out."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Change the method for the app alone: the server knows what it was asked."""
        if scope["type"] == "http" and scope["method"] == "HEAD":
            scope = {**scope, "method": "GET"}
        await self._app(scope, receive, send)
