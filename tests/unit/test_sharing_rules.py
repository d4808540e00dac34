"""The files of the sharing rules: read, laid over, versioned, read anew; and `firstbell policy`."""

import os
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from structlog.testing import capture_logs
from typer.testing import CliRunner, Result

from services.cli import app
from services.notify import sharing_rules
from services.notify.routing import Capacity, Person, Recipient
from services.notify.sharing import Asked
from services.notify.sharing_rules import NotUsable, SharingRules, Watcher, load, read

DAY = date(2026, 11, 24)
NO_CODES = """
@id("workers-see-no-codes") @basis("our agreement, 3.2") @source("page 4")
forbid (principal, action == Action::"see", resource)
when { principal.role == Role::"social_worker" && resource.field == Field::"codes" };
"""
PERMIT = NO_CODES.replace("forbid", "permit")
POLICE_ROUTE = {
    "name": "police-too",
    "kinds": ["lateness"],
    "to": [{"role": "police_contact", "found_by": "involvement"}],
}
HEALTH_ROUTE = {
    "name": "illness-too",
    "kinds": ["health-absence"],
    "to": [{"role": "headteacher", "found_by": "school"}],
}
HARMLESS_ROUTE = {**HEALTH_ROUTE, "name": "lateness-too", "kinds": ["lateness"]}


def agreement(folder: Path, **parts: Any) -> Path:
    path = folder / "agreement.yaml"
    path.write_text(yaml.safe_dump({"name": "Northshire", "version": 1, **parts}))
    return path


def withheld_from_worker(rules: SharingRules) -> list[str]:
    person = Person("sam", frozenset(), "care", "social_care", frozenset(), None)
    worker = Recipient(person, (Capacity("social_worker", True, "child_in_need"),))
    return rules.policies.decide(worker, Asked("lateness", "notice"), DAY).withheld


def policy(*words: str | Path) -> Result:
    return CliRunner().invoke(app, ["policy", *map(str, words)])


def test_an_agreement_narrows_what_the_national_set_permits(tmp_path: Path) -> None:
    rules = load(agreement(tmp_path, policies=NO_CODES))

    assert withheld_from_worker(load()) == ["upn", "comment"]
    assert withheld_from_worker(rules) == ["upn", "codes", "comment"]


def test_an_agreement_adds_agencies_and_routes(tmp_path: Path) -> None:
    mash = {"id": "mash", "name": "MASH", "kind": "social_care", "la": "330"}

    rules = load(agreement(tmp_path, agencies=[mash], routes=[HARMLESS_ROUTE]))

    assert [one.id for one in rules.agencies] == ["mash"]
    assert rules.routes.routes[-1].name == "lateness-too"
    assert rules.widenings == ()


@pytest.mark.parametrize(
    ("parts", "fault"),
    [
        ({"policies": PERMIT}, "policies: workers-see-no-codes is a permit"),
        ({"policies": NO_CODES.replace('codes"', 'codez"')}, "policies: .*codez"),
        ({"policies": "forbid"}, "policies: "),
        ({"policies": NO_CODES.replace('@source("page 4")', "")}, "policies: .*lacks @source"),
        (
            {"policies": NO_CODES.replace("workers-see-no-codes", "upn-stays-in-education")},
            "policies: upn-stays-in-education is a national policy's id",
        ),
        ({"relied_from": {"nothing": "2026-01-01"}}, "relied_from: there is no policy nothing"),
        (
            {"relied_from": {"upn-stays-in-education": "2030-01-01"}},
            "relied_from: upn-stays-in-education forbids: it holds whatever the day",
        ),
        ({"routes": [{**POLICE_ROUTE, "to": []}]}, "routes.0.to: "),
        ({"routes": [{**HARMLESS_ROUTE, "name": "register-missing"}]}, "two routes have the name"),
        ({"agencies": [{"id": "m", "name": "M", "kind": "shop"}]}, "agencies.0.kind: "),
        ({"more": 1}, "more: "),
    ],
)
def test_a_wrong_agreement_is_refused_and_the_place_named(
    tmp_path: Path, parts: dict[str, Any], fault: str
) -> None:
    path = agreement(tmp_path, **parts)

    with pytest.raises(NotUsable, match=fault) as refused:
        load(path)

    assert str(path) in str(refused.value)
    assert policy("check", "--agreement", path).exit_code == 2


@pytest.mark.parametrize("text", ["{", "- a", "\x00", ""])
def test_an_agreement_that_is_no_yaml_of_ours_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "agreement.yaml"
    path.write_text(text)

    with pytest.raises(NotUsable, match=str(path)):
        load(path)


@pytest.mark.parametrize(
    ("parts", "name"),
    [
        ({"routes": [POLICE_ROUTE]}, "route police-too"),
        ({"routes": [HEALTH_ROUTE]}, "route illness-too"),
        ({"agencies": [{"id": "met", "name": "Met", "kind": "police"}]}, "agency met"),
        (
            {"relied_from": {"police-contact-at-once": "2020-01-01"}},
            "relied_from police-contact-at-once",
        ),
    ],
)
def test_widening_police_or_health_access_must_be_said(
    tmp_path: Path, parts: dict[str, Any], name: str
) -> None:
    silent = policy("check", "--agreement", agreement(tmp_path, **parts))
    with pytest.raises(NotUsable, match=name):
        load(tmp_path / "agreement.yaml")
    said = policy("check", "--agreement", agreement(tmp_path, **parts, acknowledged={name: "IGB"}))

    assert (silent.exit_code, said.exit_code) == (1, 0)
    assert f"widens: {name}" in silent.output
    assert "acknowledged by IGB" in said.output
    assert load(tmp_path / "agreement.yaml").widenings[0].acknowledged_by == "IGB"


def test_the_day_of_the_duty_to_share_is_the_operators_to_set(tmp_path: Path) -> None:
    rules = load(agreement(tmp_path, relied_from={"duty-to-share-information": "2026-09-01"}))

    assert rules.widenings == ()
    assert "duty-to-share-information" in rules.policies.live(DAY)
    assert "duty-to-share-information" not in load().policies.live(DAY)


def test_the_version_changes_with_any_of_the_files(tmp_path: Path) -> None:
    versions = [load().version, load(agreement(tmp_path)).version]
    versions.append(load(agreement(tmp_path, policies=NO_CODES)).version)

    assert len(set(versions)) == 3
    assert load().version == versions[0]


async def test_a_changed_agreement_is_taken_and_a_wrong_one_leaves_the_version_before(
    tmp_path: Path,
) -> None:
    taken: list[str] = []

    async def take(rules: SharingRules) -> None:
        taken.append(rules.version)

    path = agreement(tmp_path)
    watcher = Watcher(path, take)
    await watcher.look()
    await watcher.look()
    agreement(tmp_path, policies=PERMIT)
    with capture_logs() as logs:
        await watcher.look()
    agreement(tmp_path, policies=NO_CODES)
    await watcher.look()

    assert taken == [taken[0], load(path).version]
    assert [line["event"] for line in logs] == [
        "sharing rules not usable: the version before holds"
    ]


def test_a_file_that_is_written_is_seen_to_have_changed(tmp_path: Path) -> None:
    async def take(_: SharingRules) -> None:
        return

    path = agreement(tmp_path)
    watcher = Watcher(path, take)
    before = watcher.stamp()
    os.utime(path, ns=(1, 1))

    assert watcher.stamp() != before


def test_the_cases_that_ship_hold() -> None:
    outcome = policy("test")

    assert outcome.exit_code == 0, outcome.output
    assert "0 difference(s)" in outcome.output


def test_a_case_that_does_not_hold_is_told_with_its_difference(tmp_path: Path) -> None:
    who = {"agency_kind": "social_care", "role": "social_worker", "footing": "child_in_need"}
    bell = {"kind": "lateness", "severity": "notice"}
    path = tmp_path / "cases.yaml"
    path.write_text(
        yaml.safe_dump(
            {
                "cases": [
                    {
                        "name": "worker", "who": who, "bell": bell, "expect": "shared",
                        "withheld": ["upn", "comment"],
                    },
                    {"name": "no", "who": who, "bell": bell, "expect": "withheld"},
                ]
            }
        )
    )  # fmt: skip

    narrowed = policy("test", path, "--agreement", agreement(tmp_path, policies=NO_CODES))

    assert narrowed.exit_code == 1
    assert narrowed.output.splitlines() == [
        "worker: not codes",
        "no: expected withheld, decided shared",
        "2 case(s), 2 difference(s)",
    ]


@pytest.mark.parametrize("text", ["cases: []", "cases: [{name: x}]", "no: yes"])
def test_a_table_of_cases_that_is_wrong_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "cases.yaml"
    path.write_text(text)

    assert policy("test", path).exit_code == 2


def test_check_says_the_version_and_counts() -> None:
    outcome = policy("check")

    assert outcome.exit_code == 0
    assert f"version {read().version}: " in outcome.output


def test_every_kind_of_bell_that_rings_has_a_route() -> None:
    assert "no route takes" not in policy("check").output


def test_national_files_are_whole() -> None:
    assert sharing_rules.load().widenings == ()
