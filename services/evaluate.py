"""`firstbell evaluate`: the rules' trial on simulated years, beside simpler detectors."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from itertools import product
from typing import Any, NamedTuple

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from libs.simulator import TRIAL, simulate
from libs.simulator.figures import Row, beside
from services.risk import baselines, trial
from services.risk.cases import Detector, case_of, rules_detector
from services.risk.catalogue import RULES
from services.risk.fold import Rule
from services.risk.trial import Score

YEAR = 2025
FIRSTBELL = "Firstbell"
STRICTNESS = (0.6, 0.7, 0.8, 0.9, 1.0, 1.15, 1.35, 1.6)
"""What the evidence needed is multiplied by, for the curve of recall against burden."""
COLUMNS = (TextColumn("Authorities"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
DETECTORS: dict[str, Detector] = {
    "10 % year to date": baselines.ten_percent,
    "traffic light": baselines.traffic_light,
    "three days running": baselines.three_days_running,
    "EARS C2": baselines.ears_c2,
    "one CUSUM": baselines.one_cusum,
    FIRSTBELL: rules_detector(RULES),
    "knows the truth": baselines.knows_the_truth,
}


class Outcome(NamedTuple):
    """What came of simulated authorities."""

    scores: Mapping[str, Score]
    """By detector."""
    curve: Mapping[float, Score]
    """The rules' by `STRICTNESS`."""
    simulator: Sequence[Row]
    """Of one authority."""


def run(seeds: int, schools: int, console: Console) -> Outcome:
    """Score every detector on so many simulated authorities, print the tables, return them."""
    scores = dict.fromkeys(DETECTORS, Score())
    curve = dict.fromkeys(STRICTNESS, Score())
    simulator: Sequence[Row] = ()
    with ProcessPoolExecutor() as pool, Progress(*COLUMNS, console=console) as progress:
        asked = product(range(1, seeds + 1), [schools])
        for one in progress.track(pool.map(_of_seed, asked), total=seeds, description=""):
            scores = {name: score + one.scores[name] for name, score in scores.items()}
            curve = {factor: score + one.curve[factor] for factor, score in curve.items()}
            simulator = simulator or one.simulator
    for table in (*tables(scores), _beside(simulator)):
        console.print(table)
    return Outcome(scores, curve, simulator)


def _of_seed(asked: tuple[int, int]) -> Outcome:
    seed, schools = asked
    authority = simulate(seed, YEAR, schools, world=TRIAL)
    cases = [case_of(school, authority.truth) for school in authority.schools]
    stricter = {factor: rules_detector(_stricter(RULES, factor)) for factor in STRICTNESS}
    return Outcome(
        {name: _score(detector, cases) for name, detector in DETECTORS.items()},
        {factor: _score(detector, cases) for factor, detector in stricter.items()},
        beside(authority),
    )


def _score(detector: Detector, cases: Sequence[Any]) -> Score:
    return sum((trial.judge(case, detector(case)) for case in cases), Score())


def _stricter(rules: Sequence[Rule[Any]], factor: float) -> list[Rule[Any]]:
    """Return the rules with more (or less) evidence needed, where they weigh evidence."""
    made: list[Rule[Any]] = []
    for rule in rules:
        needed = {n: factor * v for n, v in rule.parameters.items() if n.endswith("needed")}
        made.append(replace(rule, **needed) if needed else rule)  # type: ignore[type-var]
    return made


def tables(scores: Mapping[str, Score]) -> list[Table]:
    """Return the trial's tables: every detector's figures, and the rules' own in detail."""
    ours = scores[FIRSTBELL]
    return [_figures(scores), _kinds(ours), _bells(ours), _fairness(ours)]


def _figures(scores: Mapping[str, Score]) -> Table:
    table = Table("detector", *Score().figures(), title="Emerging bells on simulated years")
    for name, score in scores.items():
        table.add_row(name, *(f"{value:.2f}" for value in score.figures().values()))
    return table


def _kinds(score: Score) -> Table:
    table = Table("kind of episode", "episodes", "found", title="Firstbell, by kind of episode")
    for kind, count in sorted(score.episodes_of.items()):
        table.add_row(kind, str(count), f"{score.found_of[kind] / count:.2f}")
    return table


def _bells(score: Score) -> Table:
    table = Table("kind of bell", "true", "others", title="Firstbell, by kind of bell")
    for kind in sorted(score.true_of.keys() | score.others_of.keys()):
        table.add_row(kind, str(score.true_of[kind]), str(score.others_of[kind]))
    return table


def _fairness(score: Score) -> Table:
    columns = ("bells/1,000/week", "precision", "ever", "episodes")
    table = Table("group", *columns, title="Firstbell, by group")
    for name, row in score.fairness().items():
        table.add_row(name, *(f"{row[c]:.2f}" for c in columns[:3]), str(int(row["episodes"])))
    return table


def _beside(rows: Sequence[Row]) -> Table:
    table = Table("percent", "simulated", "DfE", title="The simulated years beside the published")
    for row in rows:
        published = "" if row.published is None else f"{row.published:.2f}"
        table.add_row(row.name, f"{row.simulated:.2f}", published)
    return table
