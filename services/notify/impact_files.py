"""Pure: the figures of impact as a table to compute with, and as a page to print."""

import csv
import io
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from services.notify.impact import Course, Impact

if TYPE_CHECKING:
    from mako.template import Template

RULE = ("bells", "closed", "false_bells", "false_share")
COURSE = tuple(name for name in Course.model_fields if name != "group")
Line = tuple[str, str, str, Any]


def as_csv(found: Impact) -> str:
    """Return one figure a line: section, of what, figure, value; an empty value is suppressed."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")  # RFC 4180
    writer.writerow(("section", "of", "figure", "value"))
    writer.writerows(_lines(found))
    return out.getvalue()


def _lines(found: Impact) -> Iterator[Line]:
    whole = ("about", "id", "first", "last", "suppressed", "children", "bells", "alerts")
    yield from (("whole", "", name, getattr(found, name)) for name in whole)
    yield from (("answers", "", name, value) for name, value in found.answers)
    parts = {"actions": found.actions, "outcomes": found.outcomes}
    yield from ((s, of, "alerts", n) for s, names in parts.items() for of, n in names.items())
    yield from (
        _line("rules", f"{r.kind} {r.version}", name, r) for r in found.rules for name in RULE
    )
    yield from (_line("attendance", c.group, name, c) for c in found.attendance for name in COURSE)


def _line(section: str, of: str, name: str, held: object) -> Line:
    return section, of, name, getattr(held, name)


def as_page(found: Impact) -> str:
    """Return a page of HTML with its plots in it, which needs nothing from elsewhere."""
    return str(_page().render(found=found))


@cache
def _page() -> "Template":
    # Made once: to compile it takes longer than to fill it in. Few ask for it, and every start
    # would wait for its library.
    from mako.template import Template

    text = files("services.notify").joinpath("impact.mako").read_text(encoding="utf-8")
    return Template(text, default_filters=["h"], strict_undefined=True)
