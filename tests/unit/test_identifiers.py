"""UPNs and ids: the vectorised check against the plain one, and both against python-stdnum."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from stdnum.gb import upn as stdnum_upn

from libs.common.identifiers import (
    LETTERS,
    UPN_LENGTH,
    Upn,
    Urn,
    check_letter,
    fault_of,
    id_of,
)
from services.ingest.upns import well_formed

ADA = "B801200005001"

digits = st.text("0123456789", min_size=11, max_size=11)
rests = st.builds(str.__add__, digits, st.sampled_from("0123456789" + LETTERS))
upns = st.builds(lambda rest: check_letter(rest) + rest, rests)


@st.composite
def nearly(draw: st.DrawFn) -> str:
    """A UPN with one character changed, left out or added."""
    upn = draw(upns)
    place = draw(st.integers(0, UPN_LENGTH - 1))
    put = draw(st.text("ABIOSabc059/:@[`\0é٣ ", max_size=2))
    return upn[:place] + put + upn[place + 1 :]


@given(rests)
def test_the_check_letter_is_that_of_python_stdnum(rest: str) -> None:
    assert check_letter(rest) == stdnum_upn.calc_check_digit("A" + rest)


@given(st.lists(st.one_of(upns, nearly(), st.text(max_size=15)), max_size=20))
def test_a_whole_register_is_checked_as_one_by_one(register: list[str]) -> None:
    assert well_formed(register).tolist() == [fault_of(upn) is None for upn in register]


def test_lengths_that_even_out_do_not_hide_one_another() -> None:
    assert well_formed([ADA + ADA[0], ADA[1:]]).tolist() == [False, False]


@pytest.mark.parametrize(
    ("upn", "fault"),
    [
        (ADA, None),
        ("P207000016049", None),
        (check_letter("80120000500A") + "80120000500A", None),
        ("", "a UPN has 13 characters, this one has 0"),
        (ADA[:-1], "a UPN has 13 characters, this one has 12"),
        (ADA.lower(), "a UPN is a capital letter, eleven digits and a digit"),
        ("B80120000500١", "a UPN is a capital letter, eleven digits and a digit"),
        ("I801200005001", "a UPN has no letter I, O or S"),
        ("B80120000500O", "a UPN has no letter I, O or S"),
        ("A801200005001", "the check letter does not fit"),
        ("B801200005002", "the check letter does not fit"),
        ("B810200005001", "the check letter does not fit"),
    ],
)
def test_a_fault_is_told_without_the_upn(upn: str, fault: str | None) -> None:
    found = fault_of(upn)

    assert found == fault if fault is None else (found or "").startswith(fault)
    assert not upn or upn not in (found or "")


def test_a_refused_upn_is_not_in_the_error_for_people() -> None:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(Upn).validate_python("A801200005001")

    assert "A801200005001" not in caught.value.errors()[0]["msg"]


@pytest.mark.parametrize("urn", ["10000", "1000000", "000000", "10000a", "１00000", "100000\n", ""])
def test_what_is_no_urn_is_refused(urn: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Urn).validate_python(urn)


def test_the_same_parts_make_the_same_id_and_others_another() -> None:
    assert id_of("register", "100000", 1) == id_of("register", "100000", 1)
    assert id_of("register", "100000", 1) != id_of("register", "100000", 2)
    assert str(id_of("register")) == "0c0580fd-3bc8-58e1-b59e-3a15af84c63f"  # for good
