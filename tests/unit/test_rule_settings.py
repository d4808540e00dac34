"""Rules' parameters from a file: what it changes, the version that says so, and its errors."""

from pathlib import Path

import pytest

from services.risk.catalogue import RULES, RulesRefused
from services.risk.rule_settings import changed, rules_of, settable


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "new.toml"


def versions(text: str, file: Path) -> dict[str, str]:
    file.write_text(text, encoding="utf-8")
    return {rule.kind: rule.version for rule in rules_of(file)}


def test_a_parameter_is_set_and_the_others_stay_as_they_are_shipped(file: Path) -> None:
    file.write_text("[sudden-change]\nneeded = 6\n", encoding="utf-8")

    before = {rule.kind: rule for rule in RULES}
    after = {rule.kind: rule for rule in rules_of(file)}

    was, now = before.pop("sudden-change"), after.pop("sudden-change")
    assert dict(now.parameters) == {**was.parameters, "needed": 6.0}
    assert type(now.parameters["needed"]) is float
    assert after == before


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("[penalty-threshold]\nweeks = 8\nversion = '1a'", "1a"),
        ("[penalty-threshold]\nweeks = 8", "1+84ab9c"),
        ("[penalty-threshold]\nweeks = 9", "1+22e2e7"),
        ("[penalty-threshold]\nweeks = 10", "1"),
        ("[penalty-threshold]\nweeks = 10\nversion = '1a'", "1"),
        ("[penalty-threshold]", "1"),
        ("", "1"),
    ],
)
def test_the_version_says_under_which_parameters_a_bell_rings(
    text: str, version: str, file: Path
) -> None:
    assert versions(text, file)["penalty-threshold"] == version


def test_a_number_written_as_an_integer_is_the_same_parameter(file: Path) -> None:
    assert versions("[lateness]\nneeded = 9", file) == versions("[lateness]\nneeded = 9.0", file)


def test_a_rule_that_is_switched_off_is_left_out(file: Path) -> None:
    kinds = versions("[lateness]\noff = true\n[relapse]\noff = false", file).keys()

    assert kinds == {rule.kind for rule in RULES} - {"lateness"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[latenes]\nneeded = 9", "[latenes]: there is no such rule. Is lateness meant? Known: "),
        ("lateness = 9", "lateness: write a section, [lateness], with parameters."),
        (
            "[lateness]\nneded = 9",
            "[lateness] neded: there is no such parameter. Is needed meant? Known: prior_events, "
            "prior_days, times, rise, needed.",
        ),
        ("[mass-absence]\ntimes_min = 2", "[mass-absence] times_min: there is no such parameter. "
         "This rule has none that can be set."),
        ("[severe-absence]\nseverity = 1", "[severe-absence] severity: there is no such"),
        ("[lateness]\nneeded = '9'", "[lateness] needed: '9' is not a number; write one."),
        ("[lateness]\nneeded = true", "[lateness] needed: True is not a number; write one."),
        ("[lateness]\nneeded = 0", "needed: 0 is out of range; write a number above 0 to 1000."),
        ("[lateness]\nneeded = nan", "[lateness] needed: nan is out of range"),
        ("[lateness]\nneeded = inf", "[lateness] needed: inf is out of range"),
        ("[relapse]\nlong_days = 9.5", "long_days: 9.5 is not a whole number; write one."),
        ("[relapse]\nlong_days = 0", "long_days: 0 is out of range; write a number from 1 to 1000"),
        (
            "[persistent-absence]\npercent_min = 101",
            "[persistent-absence] percent_min: 101 is out of range; write a number from 1 to 100.",
        ),
        ("[lateness]\noff = 1", "[lateness] off: write true or false."),
        ("[lateness]\noff = true\nneded = 1", "[lateness] neded: there is no such parameter."),
        ("[lateness]\nneeded = 9\nversion = 3", "[lateness] version: 3 is no name; write up to 32"),
        ("[lateness]\nneeded = 9\nversion = 'a b'", "[lateness] version: 'a b' is no name"),
        ("[lateness]\nneeded = 9\nversion = '4'", "'4' is the version with the shipped parameters"),
        ("[lateness", "no TOML: Expected ']' at the end of a table declaration (at end of"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_place_and_what_would_do(
    text: str, told: str, file: Path
) -> None:
    file.write_text(text, encoding="utf-8")

    with pytest.raises(RulesRefused) as refused:
        rules_of(file)

    assert str(refused.value).startswith(f"{file}: ")
    assert told in str(refused.value)


@pytest.mark.parametrize(("content", "told"), [(None, "No such file"), (b"\xff", "not UTF-8")])
def test_a_file_that_cannot_be_read_is_told_of(
    content: bytes | None, told: str, file: Path
) -> None:
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(RulesRefused, match=told):
        rules_of(file)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.kind)
def test_what_is_shipped_can_be_set(rule: object) -> None:
    shipped = {rule.kind: {n: rule.parameters[n] for n in settable(rule)}}  # type: ignore[attr-defined, arg-type]

    assert changed(RULES, shipped, "here") == RULES
