"""The trial's page: its tables and plots, written into the documentation."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from services.evaluate import FIRSTBELL, Grid, Outcome, grids
from services.risk.trial import Score

BLOCK = re.compile(r"(<!-- figures -->\n).*?(<!-- /figures -->)", re.DOTALL)
RECALL = {"ever": "ever", "@20": "within 20 school days", "soon": "soon after it is evident"}
BURDEN = "bells/1,000/week"
TRUTH = "knows the truth"
AFTER, BEFORE = range(-20, 61), range(-60, 1)
"""School days shown from when an episode is evident, and until a pupil crosses 10 %."""
PLOTS = "detection"


class NoPlots(Exception):
    """matplotlib is not installed."""


def write(page: Path, outcome: Outcome, heading: str) -> None:
    """Write the tables between the page's two marks, and the plots beside it as SVG.

    Raises:
        NoPlots: see there.
        ValueError: the page has no such marks.
    """
    text = page.read_text("utf-8")
    if not BLOCK.search(text):
        raise ValueError(f"{page} has no <!-- figures --> … <!-- /figures -->")
    plots = _plots(page.parent, outcome)
    parts = [heading, *(f"![{title}]({name})" for title, name in plots.items())]
    parts += [_markdown(grid) for grid in grids(outcome)]
    block = "\n\n".join(parts)
    page.write_text(BLOCK.sub(lambda mark: f"{mark[1]}\n{block}\n\n{mark[2]}", text), "utf-8")


def _markdown(grid: Grid) -> str:
    lines = [grid.columns, ["---"] * len(grid.columns), *grid.rows]
    return "\n".join([f"### {grid.title}", "", *(f"| {' | '.join(line)} |" for line in lines)])


def _plots(folder: Path, outcome: Outcome) -> dict[str, str]:
    """Draw every plot; return its file's name by its title."""
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure
    except ImportError as error:
        raise NoPlots("Plots need matplotlib: it comes with `make setup`.") from error
    # The same figures make the same file.
    mpl.rcParams["svg.hashsalt"] = PLOTS
    drawn = {
        "Recall against burden": ("recall", _draw_recall),
        "Delay from evident to the bell": ("delay", _draw_delays),
        "Lead before crossing 10 %": ("lead", _draw_leads),
    }
    names = {}
    for title, (name, draw) in drawn.items():
        figure = Figure(figsize=(7, 4.2), layout="constrained")
        axes = figure.subplots()
        axes.set_title(title)
        draw(axes, outcome)
        axes.grid(alpha=0.3)
        axes.legend(fontsize="small")
        names[title] = f"{PLOTS}-{name}.svg"
        figure.savefig(folder / names[title], metadata={"Date": None})
    return names


def _draw_recall(axes: Any, outcome: Outcome) -> None:
    curve = [score.figures() for score in outcome.curve.values()]
    for name, words in RECALL.items():
        burden = [figures[BURDEN] for figures in curve]
        axes.plot(burden, [figures[name] for figures in curve], "o-", label=f"Firstbell, {words}")
    for name, score in _others(outcome.scores).items():
        figures = score.figures()
        axes.plot(figures[BURDEN], figures["ever"], "x", color="grey")
        axes.annotate(name, (figures[BURDEN], figures["ever"]), fontsize="small")
    axes.axvline(5, color="black", linewidth=0.8, linestyle=":", label="aim: 5 bells")
    axes.set(xscale="log", xlabel="emerging bells per 1,000 pupils a week", ylabel="share found")


def _draw_delays(axes: Any, outcome: Outcome) -> None:
    for name, score in outcome.scores.items():
        _step(axes, name, score.delays, score.episodes, AFTER)
    axes.set(xlabel="school days after the fourth session affected", ylabel="share found by then")


def _draw_leads(axes: Any, outcome: Outcome) -> None:
    for name, score in outcome.scores.items():
        _step(axes, name, [-lead for lead in score.leads], score.crossing, BEFORE)
    axes.set(xlabel="school days from the crossing", ylabel="share warned by then")


def _step(axes: Any, name: str, days: Sequence[int], of: int, at: range) -> None:
    reached = np.searchsorted(np.sort(days), at, side="right") / max(1, of)
    wide = 2.5 if name == FIRSTBELL else 1.0
    style = ":" if name == TRUTH else "-"
    axes.plot(at, reached, style, linewidth=wide, label=name)


def _others(scores: Mapping[str, Score]) -> dict[str, Score]:
    return {name: score for name, score in scores.items() if name != FIRSTBELL}
