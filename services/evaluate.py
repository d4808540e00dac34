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
STRICTNESS = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.15, 1.35, 1.6)
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
AIM = ["aim", *"5 0.60 0.45 0.75 0.52 0.78 0.94 0.82 9 1.0 0.60 0.09".split()]
"""What is aimed at, in the order of `Score.figures`."""


class Outcome(NamedTuple):
    """What came of simulated authorities."""

    scores: Mapping[str, Score]
    """By detector."""
    curve: Mapping[float, Score]
    """The rules' by `STRICTNESS`."""
    simulator: Mapping[str, Sequence[Row]]
    """The simulated years beside the published ones, by world: the demo's and the trial's."""


class Grid(NamedTuple):
    """A table: for the terminal, or for a page."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


def run(seeds: int, schools: int, console: Console) -> Outcome:
    """Score every detector on so many simulated authorities, print the tables, return them."""
    scores = dict.fromkeys(DETECTORS, Score())
    curve = dict.fromkeys(STRICTNESS, Score())
    simulator: list[Mapping[str, Sequence[Row]]] = []
    with ProcessPoolExecutor() as pool, Progress(*COLUMNS, console=console) as progress:
        asked = product(range(1, seeds + 1), [schools])
        for one in progress.track(pool.map(_of_seed, asked), total=seeds, description=""):
            scores = {name: score + one.scores[name] for name, score in scores.items()}
            curve = {factor: score + one.curve[factor] for factor, score in curve.items()}
            simulator.append(one.simulator)
    outcome = Outcome(scores, curve, _means(simulator))
    for grid in grids(outcome):
        table = Table(*grid.columns, title=grid.title)
        for row in grid.rows:
            table.add_row(*row)
        console.print(table)
    return outcome


def _of_seed(asked: tuple[int, int]) -> Outcome:
    seed, schools = asked
    authority = simulate(seed, YEAR, schools, world=TRIAL)
    cases = [case_of(school, authority.truth) for school in authority.schools]
    stricter = {factor: rules_detector(_stricter(RULES, factor)) for factor in STRICTNESS}
    usual = simulate(seed, YEAR, schools)
    return Outcome(
        {name: _score(detector, cases) for name, detector in DETECTORS.items()},
        {factor: _score(detector, cases) for factor, detector in stricter.items()},
        {"the demo's": beside(usual), "the trial's": beside(authority)},
    )


def _score(detector: Detector, cases: Sequence[Any]) -> Score:
    return sum((trial.judge(case, detector(case)) for case in cases), Score())


def _stricter(rules: Sequence[Rule], factor: float) -> list[Rule]:
    """Return the rules with more (or less) evidence needed, where they weigh evidence."""
    made: list[Rule] = []
    for rule in rules:
        needed = {n: factor * v for n, v in rule.parameters.items() if n.endswith("needed")}
        chosen = needed if rule.emerging else {}
        made.append(replace(rule, **chosen) if chosen else rule)  # type: ignore[type-var]
    return made


def _means(years: Sequence[Mapping[str, Sequence[Row]]]) -> dict[str, list[Row]]:
    return {
        world: [
            rows[0]._replace(simulated=sum(row.simulated for row in rows) / len(rows))
            for rows in zip(*(year[world] for year in years), strict=True)
        ]
        for world in years[0]
    }


def grids(outcome: Outcome) -> list[Grid]:
    """Return every detector's figures, the rules' own in detail, and the simulator's."""
    ours = outcome.scores[FIRSTBELL]
    return [
        _figures(outcome.scores),
        _curve(outcome.curve),
        _kinds(ours),
        _bells(ours),
        _fairness(ours),
        _beside(outcome.simulator),
    ]


def _figures(scores: Mapping[str, Score]) -> Grid:
    rows = [
        [name, *(f"{value:.2f}" for value in score.figures().values())]
        for name, score in scores.items()
    ]
    columns = ["detector", *Score().figures()]
    return Grid("Emerging bells on simulated years", columns, [*rows, AIM])


def _curve(curve: Mapping[float, Score]) -> Grid:
    columns = ("bells/1,000/week", "precision", "precision, all", "soon", "ever", "warned")
    rows = []
    for factor, score in curve.items():
        figures = score.figures()
        rows.append([f"{factor:g}", *(f"{figures[column]:.2f}" for column in columns)])
    return Grid("Firstbell, by how much evidence is needed", ("times", *columns), rows)


def _kinds(score: Score) -> Grid:
    rows = [
        [kind, str(count), f"{score.found_of[kind] / count:.2f}"]
        for kind, count in sorted(score.episodes_of.items())
    ]
    return Grid("Firstbell, by kind of episode", ("kind", "episodes", "found"), rows)


def _bells(score: Score) -> Grid:
    kinds = sorted(score.true_of.keys() | score.others_of.keys())
    rows = [[kind, str(score.true_of[kind]), str(score.others_of[kind])] for kind in kinds]
    return Grid("Firstbell, by kind of bell", ("kind", "true", "others"), rows)


def _fairness(score: Score) -> Grid:
    columns = ("bells/1,000/week", "precision", "ever", "episodes")
    rows = [
        [name, *(f"{row[c]:.2f}" for c in columns[:3]), str(int(row["episodes"]))]
        for name, row in score.fairness().items()
    ]
    return Grid("Firstbell, by group", ("group", *columns), rows)


def _beside(worlds: Mapping[str, Sequence[Row]]) -> Grid:
    rows = []
    for together in zip(*worlds.values(), strict=True):
        name, published = together[0].name, together[0].published
        simulated = [f"{row.simulated:.2f}" for row in together]
        rows.append([name, *simulated, "" if published is None else f"{published:.2f}"])
    return Grid("The simulated years beside the published", ("percent", *worlds, "DfE"), rows)
