"""Compiled kernels beside plain rules, and what makes a compiled file out of date."""

from typing import Any, NamedTuple

import numpy as np
import pytest
from numba.core.dispatcher import Dispatcher

from services.risk import compiled
from services.risk.compiled import BesideTheSource
from services.risk.fold import Column, Severity, Signals, signals
from services.risk.rules.rates import PERSISTENT
from tests.unit.books import Marks, fold

HEIGHT = 2


def raised(value: int) -> int:
    return value + HEIGHT


def total(values: Any) -> int:
    return values.sum()


class Away(NamedTuple):
    """A rule in plain NumPy."""

    kind: str = "away"
    emerging: bool = False
    rank: int = 0

    def start(self, pupils: int) -> None:
        pass

    def step(self, state: None, column: Column) -> tuple[None, Signals]:
        return None, signals(column.absent & column.possible, 0, Severity.notice)


def test_a_rule_in_plain_numpy_works_beside_compiled_ones() -> None:
    rules: list[Any] = [Away(), PERSISTENT]

    seen = fold(rules, Marks(["I" * 20, "/" * 20]))[-1]

    assert [pupil for found in seen.episodes for pupil, _ in found] == [0, 0]


def test_a_changed_constant_makes_the_compiled_file_another(monkeypatch: Any) -> None:
    before = BesideTheSource(raised, __file__).get_disambiguator()
    same = BesideTheSource(raised, __file__).get_disambiguator()
    monkeypatch.setitem(raised.__globals__, "HEIGHT", 3)

    assert before == same != BesideTheSource(raised, __file__).get_disambiguator()


def test_a_changed_look_makes_the_loop_that_it_is_part_of_another() -> None:
    def loop_of(look: Any) -> BesideTheSource:
        looked = compiled.inlined(look)
        return BesideTheSource(lambda value: looked(value), __file__)

    one, two = (loop_of(look).get_disambiguator() for look in (raised, lambda value: value - 1))

    assert one == loop_of(raised).get_disambiguator() != two


def test_a_kernel_works_where_its_folder_cannot_be_written(monkeypatch: Any) -> None:
    monkeypatch.setattr(compiled.numba.config, "CACHE_DIR", "/proc/nowhere")

    plus = compiled.kernel(np.int32)(lambda values: values.sum())

    assert plus(np.array([1, 2], np.int32)) == 3


def test_a_checked_kernel_refuses_what_it_was_not_made_for() -> None:
    total = compiled.kernel(np.int32, checked=True)(lambda values: values.sum())

    with pytest.raises(TypeError):
        total(np.arange(4, dtype=np.int32)[::2])


def test_an_unchecked_kernel_still_refuses_items_of_another_size() -> None:
    total = compiled.kernel(np.int32, checked=False)(lambda values: values.sum())

    assert total(np.arange(4, dtype=np.int32)) == 6
    with pytest.raises(TypeError):
        total(np.arange(4, dtype=np.int64))


def test_what_is_compiled_is_loaded_by_the_next_one(monkeypatch: Any, tmp_path: Any) -> None:
    monkeypatch.setattr(compiled.numba.config, "CACHE_DIR", str(tmp_path))
    values = np.array([1, 2], np.int32)
    first = compiled.kernel(np.int32)(total)

    monkeypatch.setattr(Dispatcher, "compile", None)

    assert first(values) == compiled.kernel(np.int32)(total)(values) == 3


def test_the_compiled_file_goes_by_the_code_and_not_by_its_comments() -> None:
    def with_a_comment(value: int) -> int:
        # Says nothing new.
        return value + HEIGHT

    def another(value: int) -> int:
        return value - HEIGHT

    name = BesideTheSource(raised, __file__).get_disambiguator()

    assert name == BesideTheSource(with_a_comment, __file__).get_disambiguator()
    assert name != BesideTheSource(another, __file__).get_disambiguator()
