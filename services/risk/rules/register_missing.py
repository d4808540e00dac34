"""A school that falls silent: a blind spot for every other rule."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from services.risk.fold import NOTHING, Column, Finding, SchoolRecord, Severity, Signals
from services.risk.rules.evidence import in_words, school_sessions

WARNING_FROM = 2
"""Sessions in a row without a register: a school day."""


@dataclass(frozen=True)
class RegisterMissing:
    """Schools of which no register has come for a session by a set hour of the day.

    What does not come steps no fold: the clock rings this bell (`services.risk.watch`), and the
    next register clears it. A school day's registers missing make it a warning.

    Source:
        The School Attendance (Pupil Registration) (England) Regulations 2024: a register at the
        start of each morning session and once during each afternoon session. The hours are
        settings of the installation.
    """

    kind = "register-missing"
    clears = "The next register clears this; a calendar that says the school is shut withdraws it."
    severities = (
        Severity.notice,
        Severity.warning,
    )
    version = "1"
    emerging = False
    rank = 0
    heeds = 0
    title = "No register has come"
    source = (
        "School Attendance (Pupil Registration) (England) Regulations 2024: two registers a day"
    )
    asks = (
        "Somebody asks the school, or its MIS vendor, what holds the registers up. Until then "
        "Firstbell sees nothing of its pupils. It does not mean that no register was taken."
    )

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Sessions in a row that make it a warning."""
        return {"warning_from": WARNING_FROM}

    def start(self, pupils: int) -> None:
        """Need no state."""

    def step(self, state: None, column: Column) -> tuple[None, Signals]:
        """Say nothing: a register has come."""
        return None, NOTHING

    def explain(self, record: SchoolRecord, anchor: int) -> Finding:
        """Tell which register did not come, and which came last."""
        came = record.ordinals[(record.of > 0) & (record.ordinals < anchor)]
        half = "afternoon" if anchor % 2 else "morning"
        last = f" The last that came was for {in_words(int(np.max(came)))}." if len(came) else ""
        text = (
            f"No register has come for {in_words(anchor)} ({half}) by the hour set.{last} The next "
            "register clears this; a calendar that says the school is shut withdraws it."
        )
        return Finding(text, {"sessions": school_sessions([anchor])})


RULES = (RegisterMissing(),)
