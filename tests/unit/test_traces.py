"""Traces: off by default; on, a span a step, ids and no places; never in the way of an end."""

import json
import time
from pathlib import Path
from uuid import UUID

import pytest

from libs.common import traces
from libs.common.settings import ServiceSettings
from libs.common.traces import Traces, traces_of
from services import up
from tests.conftest import serving

EVENT = UUID("c59cb24f-db5d-466f-bb53-217ba1b78fcf")
ORIGIN = {"ce_id": str(EVENT), "traceparent": f"00-{'ab' * 16}-{'cd' * 8}-01"}


def kept(settings: ServiceSettings, tmp_path: Path, **more: object) -> tuple[Traces, Path]:
    file = tmp_path / "spans.jsonl"
    return traces_of("risk", settings.model_copy(update={"trace_file": file, **more})), file


def test_without_a_place_for_them_there_are_no_traces(settings: ServiceSettings) -> None:
    off = traces_of("risk", settings)

    with off.taking("risk", [ORIGIN]), traces.step("evaluate", EVENT):
        assert traces.headers() == {}
    assert not off.is_on


def test_a_step_goes_on_in_the_trace_of_what_caused_its_event(
    settings: ServiceSettings, tmp_path: Path
) -> None:
    on, file = kept(settings, tmp_path)

    with on.taking("risk", [ORIGIN]), traces.step("evaluate", EVENT):
        carried = traces.headers()
    on.close()

    step, batch = [json.loads(line) for line in file.read_text().splitlines()]
    assert carried["traceparent"].startswith(f"00-{'ab' * 16}-")
    assert step["parent_id"] == f"0x{'cd' * 8}"
    assert batch["links"][0]["context"]["trace_id"] == f"0x{'ab' * 16}"
    assert step["links"][0]["context"]["trace_id"] == batch["context"]["trace_id"]


@pytest.mark.parametrize("broken", ["", "nonsense", f"00-{'0' * 32}-{'0' * 16}-01"])
def test_a_header_that_is_none_begins_a_trace_anew(
    settings: ServiceSettings, tmp_path: Path, broken: str
) -> None:
    on, file = kept(settings, tmp_path)

    with on.taking("risk", [{**ORIGIN, "traceparent": broken}]), traces.step("evaluate", EVENT):
        pass
    on.close()

    assert json.loads(file.read_text().splitlines()[0])["parent_id"] is None


def test_a_share_of_none_keeps_no_trace(settings: ServiceSettings, tmp_path: Path) -> None:
    on, file = kept(settings, tmp_path, trace_share=0.0)

    with on.taking("risk", [ORIGIN]), traces.step("evaluate", EVENT):
        pass
    on.close()

    assert file.read_text() == ""


async def test_a_span_tells_a_requests_route_and_not_the_child_in_its_path(
    settings: ServiceSettings, tmp_path: Path
) -> None:
    file = tmp_path / "spans.jsonl"
    traced = settings.model_copy(update={"trace_file": file})

    async with serving(up.create_app(traced), *up.SERVICES, settings=traced) as client:
        await client.get("/risk/v1/pupils/B801200005001/attendance?upn=B801200005001")

    (span,) = [json.loads(line) for line in file.read_text().splitlines()]
    assert span["attributes"]["http.route"] == "/v1/pupils/{upn}/attendance"
    assert "B801200005001" not in file.read_text()


def test_a_collector_that_is_away_holds_up_the_end_for_seconds_at_most(
    settings: ServiceSettings, tmp_path: Path
) -> None:
    on, _ = kept(settings, tmp_path, trace_endpoint="http://127.0.0.1:9")
    with on.taking("risk", [ORIGIN]), traces.step("evaluate", EVENT):
        pass

    began = time.monotonic()
    on.close()

    assert time.monotonic() - began < 5
