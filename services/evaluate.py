"""`firstbell evaluate`: the rules' trial on simulated years, beside simpler detectors."""

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from libs.simulator import simulate
from services.risk import baselines, trial
from services.risk.catalogue import RULES
from services.risk.trial import Detector, Score

COLUMNS = (TextColumn("Schools"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
DETECTORS: dict[str, Detector] = {
    "10 % year to date": baselines.ten_percent,
    "traffic light": baselines.traffic_light,
    "three days running": baselines.three_days_running,
    "EARS C2": baselines.ears_c2,
    "one CUSUM": baselines.one_cusum,
    "Firstbell": trial.rules_detector(RULES),
    "knows the truth": baselines.knows_the_truth,
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
    for tell in (_kinds, _bells, _fairness):
        console.print(tell(scores["Firstbell"]))


def _figures(scores: dict[str, Score]) -> Table:
    table = Table("", *scores, title="Emerging bells on simulated years")
    for figure in Score().figures():
        table.add_row(figure, *(f"{one.figures()[figure]:.2f}" for one in scores.values()))
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
    columns = ("bells per 1,000 a week", "precision", "ever", "episodes")
    table = Table("group", *columns, title="Firstbell, by group")
    for name, row in score.fairness().items():
        table.add_row(name, *(f"{row[c]:.2f}" for c in columns[:3]), str(int(row["episodes"])))
    return table
