"""Compiled code: loops over a school's pupils as machine code.

A pupil's session costs a rule some nanoseconds this way: NumPy would spend a microsecond on each of
its dozens of operations, whatever the number of pupils. A rule need not use it;
`docs/architecture.md` says why the catalogue does.

Same figures everywhere: the code is made for any processor of its kind, not for the one it runs on,
operations are neither reordered nor fused, and `thousandths` rounds what a machine's own logarithm
could differ in.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from hashlib import sha256
from os import environ
from pathlib import Path
from types import CodeType
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numba.core.caching import UserProvidedCacheLocator
from numba.core.dispatcher import Dispatcher
from numba.core.registry import cpu_target
from numba.core.runtime import rtsys

Function = TypeVar("Function", bound=Callable[..., Any])
CHECKED = "FIRSTBELL_TEST_CHECKED_KERNELS" in environ
"""Whether each call's arguments are held against the declared types, as the test suite does: that
takes a third of a microsecond."""
OPTIONS = {"error_model": "numpy"}
FULLY_INLINED = {**OPTIONS, "forceinline": True}
SCALARS = {bool: numba.boolean, int: numba.int64, float: numba.float64}


class BesideTheSource(UserProvidedCacheLocator):  # type: ignore[misc]
    """Where compiled code is kept: in `__pycache__`, or the folder `NUMBA_CACHE_DIR` names.

    It is out of date when anything that it was made of has changed: its code, a constant, or a
    function that it calls, in whatever file. Its file is named for these, so that processes of an
    old and a new version can share a folder.
    """

    def __init__(self, function: Callable[..., Any], file: str) -> None:
        super().__init__(function, file)
        made_of = (repr(FULLY_INLINED).encode(), *_parts(function))
        self._made_of = sha256(b"\0".join(made_of)).hexdigest()[:16]
        if not numba.config.CACHE_DIR:
            self._cache_path = str(Path(file).parent / "__pycache__")

    @classmethod
    def from_function(cls, function: Callable[..., Any], file: str) -> "BesideTheSource":
        """Return the place for this function, which need not be writable."""
        return cls(function, file)

    def get_source_stamp(self) -> str:
        """Return what the compiled code was made of, as a digest."""
        return self._made_of

    def get_disambiguator(self) -> str:
        """Return what tells this function's file from those of others and of its earlier selves."""
        return self._made_of


numba.config.CACHE_LOCATOR_CLASSES = f"{__name__}.{BesideTheSource.__name__}"
numba.config.CPU_NAME, numba.config.CPU_FEATURES = "generic", ""


def kernel(*arguments: Any, checked: bool = CHECKED) -> Callable[[Function], Function]:
    """Compile a function of arrays and numbers, or load it as compiled before.

    Args:
        arguments: each argument's type: `int`, `float`, `bool`, an array's dtype, or the dtype and
            the number of dimensions. Arrays are contiguous and writable.
        checked: whether each call holds its arguments against these. Otherwise it looks only at
            their number, their dimensions and the size of their items: what comes from further
            rules is to be checked.
    """

    def compiled(function: Function) -> Function:
        dispatcher = numba.njit(cache=True, **OPTIONS)(function)
        types = tuple(map(_type_of, arguments))
        if not _is_loaded(dispatcher, types):
            with suppress(OSError):  # it is compiled, and the folder to keep it in is read-only
                dispatcher.compile(types)
        dispatcher.disable_compile()
        if checked:
            return cast("Function", dispatcher)
        (only,) = dispatcher.overloads.values()
        return cast("Function", only.entry_point)

    return compiled


def inlined(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let kernels call this function: it becomes part of theirs."""
    return cast("Callable[..., Any]", numba.njit(**FULLY_INLINED)(function))


def in_python(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return an `inlined` function as it was before."""
    return cast("Callable[..., Any]", cast("Any", function).py_func)


def _is_loaded(dispatcher: Any, types: tuple[Any, ...]) -> bool:
    """Take what was compiled before, if it is there.

    As `Dispatcher.compile` does, except that it first goes through all that numba can compile, for
    each function anew: that is a second of a process's start, and only who compiles needs it.
    """
    context = cpu_target.target_context
    rtsys.initialize(context)
    try:
        found = dispatcher._cache._load_overload(types, context)
    except OSError:
        return False
    if found is None:
        return False
    context.insert_user_function(found.entry_point, found.fndesc, [found.library])
    dispatcher.add_overload(found)
    return True


def _type_of(argument: Any) -> Any:
    if argument in SCALARS:
        return SCALARS[argument]
    dtype, dimensions = argument if isinstance(argument, tuple) else (argument, 1)
    return numba.types.Array(numba.from_dtype(np.dtype(dtype)), dimensions, "C")


def _parts(function: Callable[..., Any]) -> Iterator[bytes]:
    yield repr((function.__defaults__, *_instructions(function.__code__))).encode()
    for name, value in _used_by(function):
        if isinstance(value, Dispatcher):
            yield from _parts(value.py_func)
        elif isinstance(value, np.ndarray):
            yield value.tobytes()
        elif isinstance(value, bool | int | float | str | np.generic | np.dtype | tuple):
            yield f"{name}={value!r}".encode()
        elif hasattr(value, "_fields"):
            yield f"{name}={value._fields!r}".encode()


def _used_by(function: Callable[..., Any]) -> Iterator[tuple[str, Any]]:
    code = function.__code__
    for name in sorted(code.co_names):
        yield name, function.__globals__.get(name)
    for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
        yield name, cell.cell_contents


def _instructions(code: CodeType) -> Iterator[Any]:
    # Not its source: to find that in its file takes longer than to load what was compiled.
    yield code.co_code, code.co_names, code.co_varnames, code.co_freevars, code.co_exceptiontable
    for constant in code.co_consts:
        yield from _instructions(constant) if isinstance(constant, CodeType) else (constant,)


@inlined
def ones_in(bits: Any) -> int:
    """Return how many bits of a uint64 are set."""
    count = 0
    while bits:
        bits &= bits - np.uint64(1)
        count += 1
    return count
