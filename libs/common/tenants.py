"""Whose rows the code that now runs may see: a caller's, everybody's, or nobody's.

PostgreSQL's row-level security compares these settings with each row's school, practitioner or
agency, so that a query which forgets its WHERE still shows nobody else's rows. `Database` puts them
into each transaction. Code that has said nothing sees no row of any tenant.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection


class Scope(NamedTuple):
    """Schools by URN, a practitioner's id, an agency's id; or everything."""

    urns: frozenset[str] = frozenset()
    practitioner: str | None = None
    agency: str | None = None
    everything: bool = False


NOTHING = Scope()
EVERYTHING = Scope(everything=True)
_current: ContextVar[Scope] = ContextVar("firstbell_scope", default=NOTHING)

_SET = text(
    "SELECT set_config('firstbell.urns', :urns, :once),"
    " set_config('firstbell.practitioner', :practitioner, :once),"
    " set_config('firstbell.agency', :agency, :once),"
    " set_config('firstbell.everything', :everything, :once)"
)


def act_for(scope: Scope) -> None:
    """Let the rest of this task (one request, one piece of work) see this much."""
    _current.set(scope)


def act_for_schools(urns: Iterable[str]) -> None:
    """Let the rest of this task see these schools too."""
    scope = _current.get()
    _current.set(scope._replace(urns=scope.urns.union(urns)))


@contextmanager
def everything() -> Iterator[None]:
    """Let this block see every tenant's rows: the service's own work, an operator's command."""
    before = _current.set(EVERYTHING)
    try:
        yield
    finally:
        _current.reset(before)


async def enter(db: AsyncConnection, *, once: bool = True) -> None:
    """Put the present scope into a PostgreSQL transaction.

    For this transaction alone: the next one on the same connection starts with nothing. Without
    `once` it holds as long as the connection, which must not go to anybody else.
    """
    scope = _current.get()
    values = {
        "urns": ",".join(sorted(scope.urns)),
        "practitioner": scope.practitioner or "",
        "agency": scope.agency or "",
        "everything": "on" if scope.everything else "",
        "once": once,
    }
    await db.execute(_SET, values)
