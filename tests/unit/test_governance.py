"""The impact assessment and the transparency record say what is in force."""

from pathlib import Path

import pytest

from services import governance
from services.risk.catalogue import RULES

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("name", governance.DOCUMENTS)
def test_the_committed_document_is_what_the_command_writes(name: str) -> None:
    held = (DOCS / name).read_text(encoding="utf-8")

    assert held == governance.documents()[name], "write it anew: firstbell docs"


@pytest.mark.parametrize("name", governance.DOCUMENTS)
def test_every_rule_is_in_each(name: str) -> None:
    text = governance.documents()[name]

    for rule in RULES:
        assert f"`{rule.kind}`" in text
        assert rule.version in text


def test_the_seven_steps_and_the_tiers_have_their_headings() -> None:
    texts = governance.documents()

    assert all(f"\n## {step}. " in texts["dpia.md"] for step in range(1, 8))
    assert all(f"\n### 2.{section} " in texts["atrs.md"] for section in range(1, 6))
    assert "\n## Tier 1" in texts["atrs.md"]


def test_every_policy_is_there_with_its_basis() -> None:
    text = governance.documents()["dpia.md"]
    policies = governance._policies()

    assert {policy["effect"] for policy in policies} == {"permit", "forbid"}
    for policy in policies:
        assert f"| {policy['id']} | {policy['effect']} | {policy['basis']} |" in text
