"""What a bell says when it turns: the rule's own words, or why they no longer hold."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from libs.common.codes import BY_NUMBER
from libs.common.school_day import Session, ordinal_of
from services.risk.bells import Turn
from services.risk.book import when
from services.risk.fold import Finding, PupilRecord, Rule, SchoolRecord, Severity
from services.risk.stories import QUIET_DAYS, QUIET_DAYS_MAX, SET_BACK_DAYS

SEVERITY_ASKS = {
    Severity.notice: "Notice: for when you next look at the list.",
    Severity.warning: "Warning: look at it the same morning.",
    Severity.urgent: "Urgent: act on it at once.",
}
"""What a bell's severity asks of who reads it."""
STORY_CLEARS = (
    f"It clears after {QUIET_DAYS} school days without absence or lateness (a day with either adds "
    f"{SET_BACK_DAYS}, to at most {QUIET_DAYS_MAX})."
)
"""What clears the bell of any emerging rule: `services.risk.stories`."""
TOLD_MAX = 5
"""Most corrected sessions named in a withdrawn bell's explanation."""


def words_of(
    rule: Rule,
    record: PupilRecord | SchoolRecord,
    turn: Turn,
    before: Mapping[str, Any] | None,
) -> Finding:
    """Return a bell's explanation and evidence as it turns."""
    if turn.status == "withdrawn" and before is not None:
        return Finding(_withdrawn(rule, record, before), dict(before["evidence"]))
    if turn.since is not None and (rule.emerging or isinstance(record, SchoolRecord)):
        record = record.until(turn.since)  # what was seen when it rang
    finding = rule.explain(record, turn.key.anchor)
    if turn.status == "cleared":
        then = "When it rang: " if rule.emerging else ""  # its figures are of that day
        return finding._replace(explanation=f"No longer the case. {then}{finding.explanation}")
    return finding


def clears_of(rule: Rule) -> str:
    """Return what clears a rule's bells; nothing of a rule that does not say."""
    return STORY_CLEARS if rule.emerging else str(getattr(rule, "clears", ""))


def severities_of(rule: Rule, rules: Sequence[Rule]) -> list[Severity]:
    """Return the severities that a rule's bells can have, the least first.

    An emerging rule's bell takes on a graver one from another that joins its story. A rule that
    does not say can have any.
    """
    own = set(_declared(rule))
    if rule.emerging:
        joined = {one for other in rules if other.emerging for one in _declared(other)}
        own |= {severity for severity in joined if severity > min(own)}
    return sorted(own)


def _declared(rule: Rule) -> Sequence[Severity]:
    return getattr(rule, "severities", tuple(Severity))


def with_asks(finding: Finding, rule: Rule, severity: Severity) -> Finding:
    """Say of a bell that rings what clears it, what is asked, what it does not mean, how soon."""
    clears = f" {STORY_CLEARS}" if rule.emerging else ""  # others' own words have it
    text = f"{finding.explanation}{clears} {rule.asks} {SEVERITY_ASKS[severity]}"
    return finding._replace(explanation=text)


def with_school(finding: Finding, as_many: int, of: int) -> Finding:
    """Say of how many other pupils of the school as much was true."""
    if finding.alike is None or not of:
        return finding
    others = "the school's 1 other pupil" if of == 1 else f"the school's {of} other pupils"
    text = f" Of {others}, {as_many or 'none'} {finding.alike.words}."
    evidence = {**finding.evidence, "school": {"as_absent": as_many, "of": of}}
    return finding._replace(explanation=finding.explanation + text, evidence=evidence)


def with_grounds(finding: Finding, rules: Sequence[Rule], leader: Rule) -> Finding:
    """Name the other emerging rules whose grounds have joined the bell's story."""
    if not rules:
        return finding
    others = [rule for rule in rules if rule.kind != leader.kind]
    titles = "; ".join(f"{rule.title[0].lower()}{rule.title[1:]}" for rule in others)
    also = f" Also seen: {titles}." if titles else ""
    grounds = [leader.kind, *(rule.kind for rule in others)]
    return Finding(finding.explanation + also, {**finding.evidence, "grounds": grounds})


def switched_off(before: Mapping[str, Any]) -> Finding:
    """Return what a bell says whose rule is no longer in use."""
    text = "Withdrawn: the rule that rang this bell is switched off. The register did not change."
    return Finding(text, dict(before.get("evidence", {})))


def _withdrawn(rule: Rule, record: PupilRecord | SchoolRecord, before: Mapping[str, Any]) -> str:
    changed = _changed(record, before["evidence"]) if isinstance(record, PupilRecord) else []
    told = "; ".join(changed[-TOLD_MAX:])
    reason = f" {told[0].upper()}{told[1:]}." if told else ""
    rang = before["rule"]["version"]
    if rule.version != rang and not changed:
        return (
            f"Withdrawn: it rang under version {rang} of its rule; under version {rule.version}, "
            "now in use, the register does not support it."
        )
    return f"Withdrawn: what the register now says no longer supports this bell.{reason}"


def _changed(record: PupilRecord, evidence: Mapping[str, Any]) -> list[str]:
    now = dict(zip(record.ordinals.tolist(), record.codes.tolist(), strict=True))
    changed = []
    for mark in evidence.get("sessions", ()):
        ordinal = ordinal_of(date.fromisoformat(mark["date"]), Session(mark["session"]))
        code = BY_NUMBER.get(now.get(ordinal, 0))
        if code is None:
            changed.append(f"{when(ordinal)} no longer counts")
        elif code.text != mark["code"]:
            changed.append(f"{when(ordinal)} is now {code.text} ({code.meaning})")
    return changed
