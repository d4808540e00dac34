"""The verdict: what was accepted against what is there, by set algebra over ids."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.torture.house import SERVICES, Restart
from tests.torture.outcome import Heard, Outcome, Register
from tests.torture.schedule import Blow, Window

SERVING_S_MAX = 5.0
INGEST_P99_S_MAX = 0.5


@dataclass
class Verdict:
    """Faults by kind, each with a few examples; and the run's figures."""

    faults: dict[str, list[Any]] = field(default_factory=dict)
    figures: dict[str, Any] = field(default_factory=dict)

    def blame(self, fault: str, found: Iterable[Any]) -> None:
        """Note a fault if anything was found."""
        some = list(found)
        if some:
            self.faults.setdefault(fault, []).extend(some)


def compare(
    verdict: Verdict,
    harmed: tuple[Outcome, Heard],
    beside: tuple[Outcome, Heard],
    marks: Mapping[Register, tuple[int, Mapping[str, str]]],
) -> None:
    """Hold the harmed house against the marks that were sent and against the unharmed house."""
    (found, told), (expected, expected_told) = harmed, beside
    _judge_beside(verdict, expected, expected_told)
    for key, (revision, codes) in marks.items():
        stored, held = found.registers.get(key, (0, {}))
        lost = [(key, upn) for upn, code in codes.items() if held.get(upn) != code]
        verdict.blame("lost marks", lost)
        verdict.blame("marks too many", [(key, upn) for upn in held.keys() - codes.keys()])
        if not lost:
            verdict.blame("registers counted twice", [key] if stored != revision else [])
    verdict.blame("attendance differs", _differing(found.attendance, expected.attendance))
    verdict.blame("lost bells", expected.bells.keys() - found.bells)
    verdict.blame("bells too many", found.bells.keys() - expected.bells)
    verdict.blame("bells differ", _differing(found.bells, expected.bells))
    verdict.blame("lost alerts", expected.alerts.keys() - found.alerts)
    verdict.blame("alerts too many", found.alerts.keys() - expected.alerts)
    verdict.blame("alerts differ", _differing(found.alerts, expected.alerts))
    verdict.blame("lost records of the ledger", expected.decisions - found.decisions)
    verdict.blame("records twice in the ledger", found.decisions - expected.decisions)
    verdict.blame("the ledger is broken", [] if found.whole else ["verify"])
    verdict.blame("lost messages", expected_told.told.keys() - told.told)
    verdict.blame("messages too many", told.told.keys() - expected_told.told)
    verdict.blame("messages differ", _differing(told.told, expected_told.told))
    verdict.blame("messages under two ids", told.twice)
    verdict.blame("told the wrong recipient", told.wrong)
    verdict.blame("signature does not hold", ["forged"] * told.forged)
    verdict.figures |= {
        "bells": len(found.bells),
        "alerts": len(found.alerts),
        "messages": sum(map(len, told.told.values())),
        "recipients": len({recipient for recipient, _ in told.told}),
        "wire repeats": told.repeats,
    }


def _judge_beside(verdict: Verdict, expected: Outcome, told: Heard) -> None:
    """Two houses that both came to nothing are alike too."""
    some = {
        "attendance": expected.attendance,
        "bells": expected.bells,
        "alerts": expected.alerts,
        "decisions": expected.decisions,
        "messages": told.told,
        "proof": expected.whole,
    }
    verdict.blame("the unharmed house has none", [name for name, what in some.items() if not what])
    amiss = [*told.twice, *told.wrong, *["forged"] * told.forged]
    verdict.blame("the unharmed house did wrong", amiss)


def _differing(found: Mapping[Any, Any], expected: Mapping[Any, Any]) -> list[Any]:
    return [
        (key, found[key], expected[key])
        for key in found.keys() & expected
        if found[key] != expected[key]
    ]


def judge_answers(
    verdict: Verdict, lines: Iterable[Mapping[str, Any]], windows: Iterable[Window], number: int
) -> None:
    """Hold the senders' ledger against what a sender may be answered, and when."""
    windows = list(windows)
    answers = [line for line in lines if line["what"] == "answer"]
    accepted = {line["n"] for line in answers if line["status"] == 202 and not line["rejected"]}
    verdict.blame("never accepted", set(range(number)) - accepted)
    for line in answers:
        status = line["status"]
        if status is not None and 400 <= status < 500:
            verdict.blame("refused", [status])
        elif status is not None and status >= 500:
            honest = status == 503 and line["retry_after"]
            verdict.blame("5xx without Retry-After", [] if honest else [status])
            if _away(line, windows, "kafka") and not _away(line, windows, "postgres"):
                verdict.blame("5xx while the broker was away", [status])
    maybes = [line for line in answers if line["status"] is None]
    verdict.figures |= {
        "registers accepted": len(accepted),
        "answers": len(answers),
        "503": sum(line["status"] == 503 for line in answers),
        "maybes": len(maybes),
        "p99 s": _p99(answers),
    }
    _judge_outages(verdict, answers, windows)


def _judge_outages(
    verdict: Verdict, answers: list[Mapping[str, Any]], windows: Sequence[Window]
) -> None:
    """An outage during which nobody sent anything shows nothing."""
    for whom in sorted({window.whom for window in windows}):
        there = [one for one in answers if _away(one, windows, whom)]
        verdict.blame("nothing was sent meanwhile", [] if there else [f"{whom} was away"])
        if whom == "kafka" and there:
            p99_s = verdict.figures["p99 s, broker away"] = _p99(there)
            slow = [p99_s] if not 0 < p99_s <= INGEST_P99_S_MAX else []
            verdict.blame("slow while the broker was away", slow)


def _p99(answers: list[Mapping[str, Any]]) -> float:
    taken = [line["s"] for line in answers if line["status"] == 202]
    return statistics.quantiles(taken, n=100)[98] if len(taken) > 1 else 0.0


def _away(line: Mapping[str, Any], windows: Iterable[Window], whom: str) -> bool:
    return any(
        window.whom == whom and window.from_ <= line["at"] <= window.to for window in windows
    )


def judge_restarts(
    verdict: Verdict,
    restarts: Iterable[Restart],
    exits: Iterable[tuple[float, str, int]],
    windows: Iterable[Window],
) -> None:
    """Each process serves within 5 s of its restart, a server's absence apart; none ends itself.

    A restart is judged by processor time too, which a busy machine does not lengthen as much. One
    that was killed again before it served is judged by how long it had had.
    """
    windows = list(windows)
    counted = [
        one for one in restarts if not any(w.from_ - 5 <= one.at <= w.to + 15 for w in windows)
    ]
    slow = [(one.name, round(one.took_s, 1)) for one in counted if one.took_s > SERVING_S_MAX]
    verdict.blame("not serving in 5 s", slow)
    # One that had to wait for a server has been asked meanwhile how it was: that is work too.
    alone = [
        o for o in counted if not any(o.at <= w.to and w.from_ <= o.at + o.took_s for w in windows)
    ]
    dear = [(one.name, one.worked_s) for one in alone if one.worked_s > SERVING_S_MAX]
    verdict.blame("5 s of processor time before it serves", dear)
    verdict.blame("ended by itself", [(name, status) for _, name, status in exits])
    served = [one for one in counted if one.served]
    for name in sorted({one.name for one in served}):
        verdict.figures[f"{name} serves again"] = _spread([o for o in served if o.name == name])
    verdict.figures["killed again before"] = len(counted) - len(served)


def judge_blows(verdict: Verdict, blows: Iterable[Blow], killed: int) -> None:
    """What was to be killed was: one in ten may have been dead just then, and not yet restarted."""
    planned = sum(len(blow.whom) for blow in blows if blow.whom[0] in SERVICES)
    verdict.blame("too few were killed", [(killed, planned)] if killed < int(planned * 0.9) else [])
    seen = any(name.endswith("serves again") for name in verdict.figures)
    verdict.blame("no restart was seen", [killed] if killed and not seen else [])
    verdict.figures["kills"] = killed


def _spread(restarts: Sequence[Restart]) -> str:
    taken, worked = [one.took_s for one in restarts], [one.worked_s for one in restarts]
    return (
        f"{len(restarts)} times, in {statistics.median(taken):.1f} s (longest {max(taken):.1f}), "
        f"{statistics.median(worked):.1f} s of processor time (most {max(worked):.1f})"
    )
