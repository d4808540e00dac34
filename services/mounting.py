"""Services under their prefixes, one of them or all: it knows none by name."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.resources import files

from fastapi import FastAPI
from fastapi.responses import HTMLResponse

from libs.common.head import HeadAsGet
from libs.common.problems import add_problem_handlers
from libs.common.traces import OFF_OF_REQUESTS


def mount_all(services: Mapping[str, FastAPI]) -> FastAPI:
    """Serve each app under its prefix.

    Starlette runs the lifespan of the outer app only, so each service's own is entered here, in
    order, and left in reverse.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for service in services.values():
                await stack.enter_async_context(service.router.lifespan_context(service))
            yield

    house = FastAPI(
        title="Firstbell",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        telemetry=OFF_OF_REQUESTS,
    )
    add_problem_handlers(house)
    house.add_middleware(HeadAsGet)

    @house.get("/", response_class=HTMLResponse)
    async def page() -> str:
        return files("services").joinpath("page.html").read_text(encoding="utf-8")

    for prefix, service in services.items():
        house.mount(prefix, service)
    return house
