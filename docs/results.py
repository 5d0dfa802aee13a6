"""Run a recipe for the record: docs/results/NAME.md with its tables and figures, and how long it took.

    .venv/bin/python docs/results.py NAME [RUN_DIR] [--seeds N]

RUN_DIR is where the recording lies or comes to lie, runs/NAME by default; one that is complete is not run again.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

import actlab
from actlab.errors import InvalidRecording
from actlab.recipes import Recipe, recipe
from actlab.recipes import measured as times
from actlab.recording import Recording
from actlab.statistics.selection import Entry, entries
from actlab.statistics.waiting import milestone_epochs
from actlab.study import Study
from actlab.views.feature_space import feature_space_figure
from actlab.views.figures import quartiles
from actlab.views.palette import looks

RESULTS = Path(__file__).parent / "results"
MEASURED = Path(actlab.__file__).parent / "recipes" / "measured.json"
STYLE = {
    "svg.hashsalt": "actlab",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e6e6e6",
    "legend.frameon": False,
}
# Runs of so few epochs have a table epoch by epoch, and curves without the untrained network, whose accuracy by chance
# would press all others together.
FEW_EPOCHS = 12
FRAMES = (0, 10, 20, 40, 80, 150)
Drawing = Callable[[Recording, Sequence[Entry], Path], None]


def recorded(name: str, directory: Path, seeds: int | None) -> tuple[Recording, float | None]:
    """The recording of a recipe, made if it is not there; and the seconds that took, from start to report."""
    try:
        found = actlab.load(directory)
        if found.complete:
            return found, None
    except InvalidRecording:
        pass
    study = recipe(name).study
    if seeds is not None:
        study = Study(**(study.model_dump() | {"seeds": seeds}))
    start = time.perf_counter()
    found = actlab.run(study, directory)
    return found, time.perf_counter() - start


def note_time(name: str, seconds: float, machine: str) -> None:
    """Enter a recipe's time into the list that `actlab recipes` shows."""
    table = json.loads(MEASURED.read_text(encoding="utf-8"))
    table[name] = {"seconds": round(seconds, 1), "machine": machine}
    MEASURED.write_text(json.dumps(dict(sorted(table.items())), indent=1) + "\n", encoding="utf-8")


def percent(estimate: Mapping[str, Any]) -> str:
    """Mean and interval of a share, in per cent."""
    if estimate["mean"] is None:
        return "–"
    interval = estimate["ci95"]
    shown = f" [{100 * interval[0]:.2f}, {100 * interval[1]:.2f}]" if interval else ""
    return f"{100 * estimate['mean']:.2f}{shown}"


def decimal(estimate: Mapping[str, Any]) -> str:
    """Mean and interval of a loss."""
    if estimate["mean"] is None:
        return "–"
    interval = estimate["ci95"]
    return f"{estimate['mean']:.4g}" + (f" [{interval[0]:.4g}, {interval[1]:.4g}]" if interval else "")


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown; all columns but the first are right-aligned."""
    lines = ["| " + " | ".join(head) + " |", "|---|" + "---:|" * (len(head) - 1)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)]) + "\n"


def result_table(contest: Mapping[str, Any], milestones: Sequence[str]) -> str:
    """The activations of a contest, best first."""
    head = [
        "activation",
        "test accuracy %",
        "test loss",
        "training loss",
        "gradient, first : last",
        "dead %",
        "diverged",
    ]
    rows = []
    for row in contest["activations"]:
        ratio, dead = row["gradient_ratio"], row["dead_share"]
        cells = [row["name"], percent(row["test_accuracy"]), decimal(row["test_loss"]), decimal(row["train_loss"])]
        cells += ["–" if ratio is None else f"{ratio:.3g}", "–" if dead is None else f"{100 * dead:.1f}"]
        cells += [f"{row['diverged']} of {row['members']}"]
        for waiting in row["milestones"]:
            median = "never" if waiting["median"] is None else f"{waiting['median']:g}"
            cells.append(f"{median} ({100 * waiting['reached']:.0f} %)")
        rows.append(cells)
    return table(head + [f"{name}: median epoch (seeds)" for name in milestones], rows)


def curve_table(recording: Recording, entered: Sequence[Entry], metric: str) -> str:
    """Mean over seeds of a metric after each epoch; only for runs of few epochs."""
    epochs = range(1, recording.epochs + 1)
    values = recording.metrics[metric]
    rows = [[e.activation, *(f"{np.nanmean(values[k, list(e.columns)]):.4f}" for k in epochs)] for e in entered]
    return table(["activation", *map(str, epochs)], rows)


def published_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Each published number beside ours."""
    marks = {True: "agrees", False: "does not", None: "open"}
    return table(
        ["published", "value", "ours", "verdict", "in words"],
        [
            [
                f"{row['activation']}, {row['metric'].removeprefix('milestone:').replace('_', ' ')}"
                + (f", epoch {row['epoch']}" if row["epoch"] is not None else ""),
                f"{row['published']:g}",
                "–" if row["measured"] is None else measured(row["measured"]),
                marks[row["agrees"]],
                row["sentence"],
            ]
            for row in rows
        ],
    )


def measured(found: Mapping[str, Any]) -> str:
    """Mean and interval of what was measured."""
    if found["mean"] is None:
        return "–"
    interval = found["ci95"]
    return f"{found['mean']:.4g}" + (f" [{interval[0]:.4g}, {interval[1]:.4g}]" if interval else "")


def draw_curves(recording: Recording, entered: Sequence[Entry], path: Path) -> None:
    """Validation accuracy and training loss over the epochs: medians over seeds, bands the middle half of them."""
    figure = Figure(figsize=(9, 3.2), layout="constrained")
    axes = figure.subplots(1, 2)
    drawn = looks([entry.activation for entry in entered])
    first = 1 if recording.epochs <= FEW_EPOCHS else 0
    for ax, (metric, title) in zip(
        axes,
        (("validation_accuracy", "validation accuracy"), ("train_loss", "training loss (cross-entropy)")),
        strict=True,
    ):
        for entry in entered:
            low, middle, high = quartiles(recording.metrics[metric][first:, list(entry.columns)])
            epochs = np.arange(first, first + len(middle))
            colour = drawn[entry.activation].printed
            ax.fill_between(epochs, low, high, color=colour, alpha=0.15, linewidth=0)
            ax.plot(epochs, middle, color=colour, label=entry.activation)
        ax.set(xlabel="epoch", title=title)
        ax.xaxis.get_major_locator().set_params(integer=True)
    axes[1].set_yscale("log")
    axes[0].legend()
    _save(figure, path)


def draw_gradients(recording: Recording, entered: Sequence[Entry], path: Path) -> None:
    """Gradient norm layer by layer after the last epoch, and how the first layer's is distributed."""
    figure = Figure(figsize=(9, 3.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    drawn = looks([entry.activation for entry in entered])
    norms, counts = (recording.probes[f"weight_gradient_{what}"] for what in ("norm", "histogram"))
    edges = np.array(recording.facts["gradient_edges"])
    for entry in entered:
        colour = drawn[entry.activation].printed
        middle = quartiles(norms[-1, list(entry.columns)].T)[1]
        left.plot(range(len(middle)), middle, marker="o", markersize=3, color=colour, label=entry.activation)
        own = counts[-1, list(entry.columns), 0].sum(axis=0).astype(float)
        right.stairs(own / max(own.sum(), 1), np.log10(np.maximum(edges, edges[1] / 10**0.25)), color=colour)
    left.set_yscale("log")
    left.set_xticks(range(len(recording.weight_layers)), recording.weight_layers, rotation=30)
    left.set(title=f"norm of the weight gradient, epoch {recording.epochs}")
    right.set(
        title=f"|gradient| of {recording.weight_layers[0]}: share of its weights",
        xlabel="log₁₀ |∂L/∂w|, all smaller ones and zeros leftmost",
    )
    left.legend()
    _save(figure, path)


def draw_milestones(recording: Recording, entered: Sequence[Entry], path: Path) -> None:
    """For each milestone the share of seeds that are there, epoch by epoch."""
    milestones = recording.study.milestones
    figure = Figure(figsize=(4.5 * len(milestones), 3.2), layout="constrained")
    drawn = looks([entry.activation for entry in entered])
    for ax, milestone in zip(figure.subplots(1, len(milestones), squeeze=False)[0], milestones, strict=True):
        for entry in entered:
            epochs = np.sort(milestone_epochs(recording, entry, milestone))
            shares = (epochs[None] <= np.arange(recording.epochs + 1)[:, None]).mean(axis=1)
            ax.step(np.arange(len(shares)), 100 * shares, where="post", color=drawn[entry.activation].printed)
        ax.set(xlabel="epoch", ylabel="% of seeds", title=milestone.name, ylim=(0, 101))
        ax.legend([entry.activation for entry in entered], loc="lower right")
    _save(figure, path)


def _save(figure: Figure, path: Path) -> None:
    with mpl.rc_context(STYLE):
        figure.savefig(path, metadata={"Date": None})


def figures(recording: Recording, entered: Sequence[Entry], name: str) -> list[str]:
    """Draw what the recording has to show; returns Markdown."""
    wanted: list[tuple[str, str, Drawing]] = [
        ("curves", "Learning: medians over the seeds, bands the middle half of them.", draw_curves),
        ("gradients", "Where the gradient arrives: layer by layer, and its distribution at the input.", draw_gradients),
    ]
    if recording.study.milestones:
        text = "How many seeds have reached each milestone, epoch by epoch."
        wanted.append(("milestones", text, draw_milestones))
    lines = []
    with mpl.rc_context(STYLE):
        for what, text, draw in wanted:
            draw(recording, entered, RESULTS / f"{name}-{what}.svg")
            lines += [f"![{text}]({name}-{what}.svg)", "", text, ""]
    if recording.sample and recording.epochs >= FRAMES[-1] and name == "parabolas":
        feature_space_figure(recording, list(FRAMES), RESULTS / f"{name}-feature-space.png")
        text = "The feature space of a typical seed: the hidden units as a plane, until a line parts the classes."
        lines += [f"![{text}]({name}-feature-space.png)", "", text, ""]
    return lines


def page(name: str, found: Recipe, recording: Recording, seconds: float | None) -> str:
    """The page of a recipe."""
    summary = json.loads((recording.directory / "summary.json").read_text(encoding="utf-8"))
    entered = entries(recording)
    study, facts = recording.study, recording.facts
    seeds = "" if len(study.seeds) == len(found.study.seeds) else f" --seeds {len(study.seeds)}"
    known = times().get(name)
    seconds = seconds if seconds is not None or known is None else known.seconds
    took = f"{seconds:,.0f} s from start to report, " if seconds is not None else ""
    throughput = facts["throughput"]
    versions = ", ".join(f"{package} {version}" for package, version in facts["versions"].items())
    lines = [f"# {name}", "", found.title + ".", "", f"Source: {found.source}", ""]
    lines += [f"**{summary['headline']}**", ""]
    lines += [
        f"{len(recording.members)} networks, {took}{throughput['net_steps_per_second']:,.0f} training steps of one"
    ]
    lines += [f"network a second, all of it recorded. Machine: {facts['machine']}. {versions}.", ""]
    lines += ["```console", f"$ actlab compare {name}{seeds}", "```", ""]
    lines += ["## Result", "", result_table(summary, [milestone.name for milestone in study.milestones])]
    if recording.epochs <= FEW_EPOCHS:
        lines += ["Validation accuracy after each epoch, mean over the seeds:", ""]
        lines += [curve_table(recording, entered, "validation_accuracy")]
    if summary["published"]:
        lines += ["## Beside the source", "", published_table(summary["published"])]
    if summary["findings"]:
        lines += ["## What was measured inside", "", *(f"- {row['sentence']}" for row in summary["findings"]), ""]
    lines += ["## Figures", "", *figures(recording, entered, name)]
    lines += ["## To bear in mind", "", *(f"- {note}" for note in summary["notes"])]
    lines += [*(f"- {choice}" for choice in found.choices), f"- Data: {study.provenance}.", ""]
    return "\n".join(lines)


def main() -> None:
    """Run, write the page, note the time."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name")
    parser.add_argument("directory", type=Path, nargs="?")
    parser.add_argument("--seeds", type=int)
    arguments = parser.parse_args()
    name = arguments.name
    recording, seconds = recorded(name, arguments.directory or Path("runs") / name, arguments.seeds)
    if seconds is not None and arguments.seeds is None:
        note_time(name, seconds, recording.facts["machine"])
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.md"
    path.write_text(page(name, recipe(name), recording, seconds), encoding="utf-8")
    sys.stdout.write(f"wrote {path}\n")


if __name__ == "__main__":
    main()
