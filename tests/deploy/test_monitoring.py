"""Alerts and dashboard: every expression can be read, and asks for what the services tell."""

import json
import re
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

from libs.common.settings import ServiceSettings
from services import up
from tests.conftest import serving, until

ROOT = Path(__file__).parents[2]
MONITORING = ROOT / "deploy/monitoring"
PROMETHEUS_OWN = {"up"}


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load((MONITORING / "alerts.yaml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((MONITORING / "dashboard.json").read_text())["panels"]
    return found


def expressions() -> list[str]:
    drawn = [target["expr"] for panel in panels() for target in panel["targets"]]
    return [rule["expr"] for rule in rules()] + drawn


def metrics_in(expression: str) -> set[str]:
    return set(re.findall(r"\b(?:firstbell_\w+|up(?=\{))", expression))


@pytest.mark.parametrize("expression", expressions())
def test_an_expression_is_promql_and_names_a_metric(expression: str) -> None:
    promql_parser.parse(expression)  # raises if it is none

    assert metrics_in(expression)


async def test_every_metric_that_is_asked_for_is_told(settings: ServiceSettings) -> None:
    async with serving(up.create_app(settings), *up.SERVICES, settings=settings) as client:

        async def told() -> set[str]:
            answers = [(await client.get(f"/{name}/metrics")).text for name in up.SERVICES]
            lines = [line for text in answers for line in text.splitlines()]
            return {line.split()[2] for line in lines if line.startswith("# TYPE")}

        async def subscribed() -> bool:
            return "firstbell_consumer_lag_records" in await told()

        await until(subscribed)
        asked = set().union(*map(metrics_in, expressions()))

        assert asked - PROMETHEUS_OWN <= await told()


def test_each_alert_has_its_page_and_each_page_its_alert() -> None:
    named = {rule["annotations"]["runbook"] for rule in rules()}
    pages = {f"docs/runbooks/{page.name}" for page in (ROOT / "docs/runbooks").glob("*.md")}

    assert pages - {"docs/runbooks/README.md"} == named
    for rule in rules():
        page = (ROOT / rule["annotations"]["runbook"]).read_text()
        assert page.startswith(f"# {rule['alert']}\n")
        assert rule["expr"] in page
