"""What `firstbell simulate` writes is what ingest takes."""

import json
from pathlib import Path

from typer.testing import CliRunner

from services.cli import app
from tests.service.ingest_app import headers_of, running


async def test_a_simulated_year_is_taken_without_a_rejected_mark(tmp_path: Path) -> None:
    out = tmp_path / "out"
    asked = ["simulate", "--out", str(out), "--seed", "3", "--schools", "1"]
    made = CliRunner().invoke(app, asked)
    assert made.exit_code == 0, made.output
    (urn,) = [folder.name for folder in out.iterdir() if folder.is_dir()]
    data = tmp_path / "data"
    data.mkdir()
    body = (out / "registers.ndjson").read_bytes()

    async with running(data) as (_, client):
        client.headers.update(headers_of(data, urns=(urn,)))
        roll = json.loads((out / urn / "roll.json").read_bytes())
        calendar = json.loads((out / urn / "calendar.json").read_bytes())
        answers = [
            await client.put(f"/v1/schools/{urn}/roll", json=roll),
            await client.put(f"/v1/schools/{urn}/calendar/2025", json=calendar),
            await client.post(
                "/v1/registers?mode=backfill",
                content=body,
                headers={"content-type": "application/x-ndjson"},
            ),
        ]

    assert [answer.is_success for answer in answers] == [True, True, True]
    receipts = [json.loads(line) for line in answers[-1].text.splitlines()]
    assert len(receipts) == body.count(b"\n") > 2 * 190
    assert all(receipt["accepted"] and not receipt["rejected"] for receipt in receipts)
    sent_on = [json.loads(line)["date"] for line in body.splitlines()]
    assert sent_on != sorted(sent_on)  # corrections are among them
    assert json.loads((out / "truth.json").read_bytes())


def test_the_same_seed_writes_the_same_year(tmp_path: Path) -> None:
    years = []
    for name in ("a", "b"):
        out = tmp_path / name
        CliRunner().invoke(app, ["simulate", "--out", str(out), "--seed", "5", "--schools", "1"])
        years.append((out / "registers.ndjson").read_bytes())

    assert years[0] == years[1] != b""
