"""The pages in a real browser: they can be read, and nothing is asked of another machine."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.conftest import CHROMIUM
from tests.system.stack import embedded

FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run"]
SERVICES = ("ingest", "risk", "notify")

pytestmark = pytest.mark.chromium


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield running
        running.close()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    stack = embedded(tmp_path_factory.mktemp("up"))
    try:
        stack.wait_ready(*SERVICES)
        yield f"http://127.0.0.1:{stack.ports['ingest']}"
    finally:
        stack.stop()


class Watched:
    """A page, what its console complained of, and whom it asked for anything."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        self.asked: set[str | None] = set()
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self.asked.add(urlsplit(request.url).hostname))

    def _heard(self, message: Any) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(message.text)


@pytest.fixture
def watched(browser: Browser) -> Iterator[Watched]:
    page = browser.new_page()
    yield Watched(page)
    page.close()


def test_the_first_page_says_what_runs_and_its_links_lead_somewhere(
    watched: Watched, address: str
) -> None:
    watched.page.goto(address)

    expect(watched.page.get_by_role("heading", name="Firstbell")).to_be_visible()
    links = {link.get_attribute("href") for link in watched.page.get_by_role("link").all()}
    assert links == {f"/{s}/{what}" for s in SERVICES for what in ("docs", "readyz", "metrics")}
    for link in links:
        assert watched.page.request.get(f"{address}{link}").ok, link
    assert watched.complaints == []
    assert watched.asked == {"127.0.0.1"}


def test_the_first_page_fits_a_narrow_screen(watched: Watched, address: str) -> None:
    watched.page.set_viewport_size({"width": 360, "height": 700})
    watched.page.goto(address)

    assert watched.page.evaluate("document.documentElement.scrollWidth") <= 360


@pytest.mark.parametrize("service", SERVICES)
def test_a_services_docs_render_without_another_machine(
    watched: Watched, address: str, service: str
) -> None:
    watched.page.goto(f"{address}/{service}/docs")

    operations = watched.page.locator(".opblock")
    expect(operations.first).to_be_visible()
    operations.first.click()
    expect(watched.page.get_by_text("Responses").first).to_be_visible()
    assert watched.complaints == []
    assert watched.asked <= {"127.0.0.1", None}, "only this machine, and data: images"
