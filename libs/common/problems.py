"""Errors as RFC 9457 problem documents: what was wrong, where, and how to put it right."""

from collections.abc import Mapping
from typing import Any, ClassVar

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolExhausted
from starlette.exceptions import HTTPException
from starlette.routing import Match

from libs.common.database import is_away

log = structlog.get_logger()

MEDIA_TYPE = "application/problem+json"


class Problem(Exception):
    """An error the caller can act on.

    A subclass fixes `status`, `slug` and `title`; an instance says what happened this time.
    `detail` never holds a name, a UPN or a comment: it is logged.
    """

    status: ClassVar[int] = 500
    slug: ClassVar[str] = "internal"
    title: ClassVar[str] = "Something went wrong here"
    headers: Mapping[str, str] = {}

    def __init__(self, detail: str, **members: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.members = members


class InvalidRequest(Problem):
    """The request's parts do not fit the description."""

    status = 422
    slug = "invalid-request"
    title = "The request is not as described"


class Unauthenticated(Problem):
    """No token, or one that does not hold."""

    status = 401
    slug = "unauthenticated"
    title = "A valid bearer token is needed"
    headers: Mapping[str, str] = {"WWW-Authenticate": "Bearer"}


class Forbidden(Problem):
    """The token holds, and does not allow this."""

    status = 403
    slug = "forbidden"
    title = "The token does not allow this"


class NotFound(Problem):
    """There is no such thing, or it is not the caller's to see."""

    status = 404
    slug = "not-found"
    title = "Not found"


class Conflict(Problem):
    """What is asked does not fit what stands."""

    status = 409
    slug = "conflict"
    title = "It does not fit what stands"


class TooLarge(Problem):
    """The body is larger than this service takes at once."""

    status = 413
    slug = "too-large"
    title = "The body is too large"


class UnsupportedMediaType(Problem):
    """The body's content type is not taken here."""

    status = 415
    slug = "unsupported-media-type"
    title = "The content type is not taken here"


class UnsupportedEncoding(UnsupportedMediaType):
    """The body is compressed, and bodies are not unpacked here."""

    headers: Mapping[str, str] = {"Accept-Encoding": "identity"}


class TooMany(Problem):
    """The caller, or its school, asks for more than its share; nothing was done.

    Args:
        wait_s: when to ask again.
    """

    status = 429
    slug = "too-many-requests"
    title = "More than this caller's share"

    def __init__(self, detail: str, wait_s: int = 5, **members: Any) -> None:
        super().__init__(detail, **members)
        self.headers = {"Retry-After": str(wait_s)}


class Unavailable(Problem):
    """The service cannot do its work now; nothing was done."""

    status = 503
    slug = "unavailable"
    title = "Not available at the moment"
    headers: Mapping[str, str] = {"Retry-After": "5"}


def problem_response(problem: Problem) -> JSONResponse:
    """Return the document of a problem."""
    body = {
        "type": f"urn:firstbell:problem:{problem.slug}",
        "title": problem.title,
        "status": problem.status,
        "detail": problem.detail,
        **problem.members,
    }
    return JSONResponse(body, problem.status, dict(problem.headers), media_type=MEDIA_TYPE)


def documented(*problems: type[Problem]) -> dict[int | str, dict[str, Any]]:
    """Return OpenAPI's description of a route's problems, with those that every route has."""
    every: tuple[type[Problem], ...] = (
        Unauthenticated,
        Forbidden,
        InvalidRequest,
        TooMany,
        Unavailable,
        *problems,
    )
    return {
        p.status: {"description": p.title, "content": {MEDIA_TYPE: {"schema": _SCHEMA}}}
        for p in every
    }


_SCHEMA = {
    "type": "object",
    "title": "Problem",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
    },
}


def add_problem_handlers(app: FastAPI) -> None:
    """Make every error of this app a problem document."""

    @app.exception_handler(Problem)
    async def on_problem(_: Request, problem: Problem) -> JSONResponse:
        return problem_response(problem)

    @app.exception_handler(RequestValidationError)
    async def on_invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        return problem_response(_invalid([told(fault) for fault in error.errors()]))

    @app.exception_handler(HTTPException)
    async def on_http(request: Request, error: HTTPException) -> JSONResponse:
        if error.status_code == 400:  # FastAPI's: too deep for a parser, or not even text
            return problem_response(_invalid([{"at": ["body"], "why": "cannot be read as JSON"}]))
        detail, headers = error.detail, dict(error.headers or {})
        if error.status_code == 404:
            detail = "There is nothing at this path: /docs, under each service's prefix, names all."
        elif error.status_code == 405:
            headers["Allow"] = _allowed(request)
            detail = f"This path takes {headers['Allow']}."
        told = {"type": "about:blank", "title": error.detail, "status": error.status_code}
        body = {**told, "detail": detail}
        return JSONResponse(body, error.status_code, headers, media_type=MEDIA_TYPE)

    _add_fault_handlers(app)


def _add_fault_handlers(app: FastAPI) -> None:
    @app.exception_handler(DBAPIError)
    @app.exception_handler(PoolExhausted)
    @app.exception_handler(OSError)
    async def on_database_away(request: Request, error: Exception) -> JSONResponse:
        # The statement and its parameters stay out of the log: they hold pupils' data.
        if not is_away(error):
            return await on_bug(request, error)
        log.error("database away", error=type(error).__name__)
        detail = "The database did not answer; nothing was stored. Send the request again."
        return problem_response(Unavailable(detail))

    @app.exception_handler(Exception)
    async def on_bug(_: Request, error: Exception) -> JSONResponse:
        log.error("unhandled error", error=type(error).__name__)
        return problem_response(Problem("The error is logged. Nothing was stored."))


def _invalid(errors: list[dict[str, Any]]) -> InvalidRequest:
    detail = f"{len(errors)} part(s) of the request are wrong; correct them and send it again."
    return InvalidRequest(detail, errors=errors)


def told(fault: Mapping[str, Any], *within: str) -> dict[str, Any]:
    """Return where a request is wrong and why, as a problem tells it.

    Pydantic's `input` would echo a pupil's data, and so may the name of a field that is not ours.

    Args:
        within: the part of the request that was read, e.g. "body", if `loc` leaves it out.
    """
    place = [*within, *fault["loc"]]
    if fault["type"] == "extra_forbidden":
        place.pop()
    return {"at": place, "why": fault["msg"]}


def _allowed(request: Request) -> str:
    # Starlette names the methods of the first route alone, and each of ours has one.
    routes = request.app.router.routes
    # HEAD is not among them: `HeadAsGet` makes it a GET.
    return ", ".join(
        "GET, HEAD" if method == "GET" else method
        for method in ("DELETE", "GET", "PATCH", "POST", "PUT")
        if any(
            route.matches({**request.scope, "method": method})[0] is Match.FULL for route in routes
        )
    )
