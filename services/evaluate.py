"""`firstbell evaluate`: the rules' trial on simulated years, beside simpler detectors."""

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from libs.simulator import simulate
from services.risk import trial
from services.risk.catalogue import RULES
from services.risk.trial import Detector, Score

COLUMNS = (TextColumn("Schools"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
DETECTORS: dict[str, Detector] = {
    "10 % year to date": trial.ten_percent,
    "three days running": trial.three_days_running,
    "Firstbell": trial.rules_detector(RULES),
    "knows the truth": trial.knows_the_truth,
}


def run(seeds: int, schools: int, console: Console) -> None:
    """Score every detector on so many simulated authorities, and print the tables."""
    scores = {name: Score() for name in DETECTORS}
    with Progress(*COLUMNS, console=console) as progress:
        task = progress.add_task("", total=seeds * schools)
        for seed in range(1, seeds + 1):
            authority = simulate(seed, 2025, schools)
            for school in authority.schools:
                case = trial.case_of(school, authority.truth)
                for name, detector in DETECTORS.items():
                    scores[name] += trial.judge(case, detector(case))
                progress.advance(task)
    console.print(_figures(scores))
    console.print(_kinds(scores["Firstbell"]))


def _figures(scores: dict[str, Score]) -> Table:
    table = Table("", *scores, title="Emerging bells on simulated years")
    for figure in Score().figures():
        table.add_row(figure, *(f"{one.figures()[figure]:.2f}" for one in scores.values()))
    return table


def _kinds(score: Score) -> Table:
    table = Table("kind of episode", "episodes", "found", title="Firstbell, by kind")
    for kind, (count, hits) in sorted(score.by_kind.items()):
        table.add_row(kind, str(count), f"{hits / count:.2f}")
    return table
