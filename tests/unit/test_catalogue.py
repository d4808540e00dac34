"""The catalogue with files of rules from elsewhere."""

from pathlib import Path

import pytest

from services.risk.catalogue import RULES, RulesRefused, discover

RULE = """
from dataclasses import dataclass
from services.risk.rules.lateness import Lateness

@dataclass(frozen=True)
class Other(Lateness):
    kind = "{kind}"
    version = "{version}"

RULES = (Other(),)
"""


def write(folder: Path, name: str, kind: str, version: str = "1") -> Path:
    (folder / name).write_text(RULE.format(kind=kind, version=version), encoding="utf-8")
    return folder / name


def test_without_further_places_it_is_what_is_shipped() -> None:
    assert discover() == RULES


def test_a_file_and_a_folder_of_files_add_their_rules_in_the_order_of_kinds(tmp_path: Path) -> None:
    folder = tmp_path / "rules"
    folder.mkdir()
    write(folder, "zebra.py", "zebra")
    (folder / "_drafts.py").write_text("not Python at all", encoding="utf-8")

    kinds = [rule.kind for rule in discover([folder, write(tmp_path, "first.py", "a-first")])]

    assert kinds == ["a-first", *(rule.kind for rule in RULES), "zebra"]


def test_a_rule_takes_the_place_of_one_of_its_kind_in_a_place_before(tmp_path: Path) -> None:
    places = [write(tmp_path, f"{n}.py", "lateness", version=n) for n in ("8", "9")]

    rules = {rule.kind: rule.version for rule in discover(places)}

    assert (rules["lateness"], len(rules)) == ("9", len(RULES))


def test_a_file_that_has_changed_is_read_anew(tmp_path: Path) -> None:
    for version in ("8", "9"):
        place = write(tmp_path, "same.py", "lateness", version)
        rules = {rule.kind: rule.version for rule in discover([place])}

        assert rules["lateness"] == version


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "it offers no rules; name them in a tuple called RULES."),
        ("RULES = ()", "it offers no rules"),
        ("RULES = (3,)", "int has no kind, version, emerging, rank, title, source, asks"),
        ("import nowhere_at_all", "ModuleNotFoundError: No module named 'nowhere_at_all'"),
        ("RULES = (", "SyntaxError: '(' was never closed"),
        (RULE.format(kind="Bad Kind", version="1"), "the kind 'Bad Kind' cannot be used"),
    ],
)
def test_a_file_that_offers_no_rules_is_refused_with_its_name(
    text: str, told: str, tmp_path: Path
) -> None:
    file = tmp_path / "rule.py"
    file.write_text(text, encoding="utf-8")

    with pytest.raises(RulesRefused) as refused:
        discover([file])

    assert str(refused.value).startswith(f"{file}: {told}")


def test_a_kind_offered_twice_in_a_folder_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "one.py", "zebra")
    write(tmp_path, "two.py", "zebra")

    with pytest.raises(RulesRefused, match=r"two.py: the kind zebra is offered twice"):
        discover([tmp_path])


def test_a_place_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RulesRefused, match="there is no such file or folder of rules"):
        discover([tmp_path / "none"])


def test_more_rules_than_a_story_can_name_are_refused(tmp_path: Path) -> None:
    for number in range(33 - len(RULES)):
        write(tmp_path, f"rule{number}.py", f"kind-{number}")

    with pytest.raises(RulesRefused, match="33 rules are too many"):
        discover([tmp_path])
