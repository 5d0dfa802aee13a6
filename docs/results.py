"""Run a recipe for the record: docs/results/NAME.md with its tables and figures, and how long it took.

    .venv/bin/python docs/results.py NAME [RUN_DIR] [--seeds N]

RUN_DIR is where the recording lies or comes to lie, runs/NAME by default; one that is complete is not run again.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import actlab
from actlab.errors import InvalidRecording
from actlab.objectives import lead_in
from actlab.recipes import Recipe, recipe
from actlab.recipes import measured as times
from actlab.recording import Recording
from actlab.statistics.baselines import baselines
from actlab.statistics.selection import Reported, reported
from actlab.statistics.simultaneous import FEWEST_SEEDS
from actlab.study import Study
from actlab.views.figures.functions import save
from actlab.views.figures.histories import FEW_EPOCHS
from actlab.views.figures.recording import Figures
from actlab.views.terminal.comparison import legend

RESULTS = Path(__file__).parent / "results"
MEASURED = Path(actlab.__file__).parent / "recipes" / "measured.json"
FRAMES = (0, 10, 20, 40, 80, 150)


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
    found = actlab.run(study, directory, restart=True)
    return found, time.perf_counter() - start


def note_time(recording: Recording, name: str, seconds: float) -> None:
    """Enter a recipe's time into the list that `actlab recipes` shows."""
    table = json.loads(MEASURED.read_text(encoding="utf-8"))
    table[name] = {"seconds": round(seconds, 1), "machine": recording.facts["machine"]}
    if len(recording.study.seeds) != len(recipe(name).study.seeds):
        table[name]["seeds"] = len(recording.study.seeds)
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


def result_table(condition: Mapping[str, Any], milestones: Sequence[str]) -> str:
    """The activations of a condition, best first."""
    lead = lead_in(condition)
    shown = percent if lead.is_share else decimal
    numbers = {"r2": "test R²"} if condition.get("constant") else {}
    fresh = any(row["test_accuracy_ci95_new_data"] for row in condition["activations"])
    head = [
        "activation",
        f"test {lead.title}{' %' if lead.is_share else ''}",
        *(["on new data"] if fresh else []),
        "may be the best",
        *numbers.values(),
        "test loss",
        "training loss",
        "gradient, first : last",
        "dead %",
        "diverged",
    ]
    rows = []
    for row in condition["activations"]:
        ratio, dead = row["gradient_ratio"], row["dead_share"]
        known = row["best_p"] is not None and condition["best_seeds"] >= FEWEST_SEEDS
        best = "–" if not known else "yes" if row["name"] in condition["best_set"] else "no"
        new = row["test_accuracy_ci95_new_data"]
        wide = f"[{100 * new[0]:.1f}, {100 * new[1]:.1f}]" if new else "–"
        cells = [row["name"], shown(row[lead.test]), *([wide] if fresh else []), best]
        cells += [decimal(row[f"test_{metric}"]) for metric in numbers]
        cells += [decimal(row["test_loss"]), decimal(row["train_loss"])]
        cells += ["–" if ratio is None else f"{ratio:.3g}", "–" if dead is None else f"{100 * dead:.1f}"]
        cells += [f"{row['diverged']} of {row['members']}"]
        for waiting in row["milestones"]:
            median = "never" if waiting["median"] is None else f"{waiting['median']:g}"
            cells.append(f"{median} ({100 * waiting['reached']:.0f} %)")
        rows.append(cells)
    for one in baselines(condition):
        rows.append([one.name, lead.number(one.value, 2), *[""] * (len(rows[0]) - 2)])
    return table(head + [f"{name}: median epoch (seeds)" for name in milestones], rows)


def curve_table(recording: Recording, reported: Sequence[Reported], metric: str) -> str:
    """Mean over seeds of a metric after each epoch; only for runs of few epochs."""
    epochs = range(1, recording.epochs + 1)
    values = recording.metrics[metric]
    rows = [[e.activation, *(f"{np.nanmean(values[k, list(e.columns)]):.4f}" for k in epochs)] for e in reported]
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


def figures(recording: Recording, name: str) -> list[str]:
    """Draw what the recording has to show; returns Markdown."""
    wanted = {
        "curves": "Learning: medians over the seeds, bands the middle half of them.",
        "gradients": "Where the gradient arrives: layer by layer, and its distribution at the input.",
    }
    if recording.study.milestones:
        wanted["milestones"] = "How many seeds have reached each milestone, epoch by epoch."
    lines = []
    pictures = Figures(recording, recording.study.activations, axes="own")
    for what, text in wanted.items():
        save(pictures.history(what), RESULTS / f"{name}-{what}.svg")
        lines += [f"![{text}]({name}-{what}.svg)", "", text, ""]
    if name == "parabolas" and recording.epochs >= FRAMES[-1]:
        save(pictures.plot(FRAMES), RESULTS / f"{name}-feature-space.png", dpi=75)
        text = "The feature space of a typical seed: the hidden units as a plane, until a line parts the classes."
        lines += [f"![{text}]({name}-feature-space.png)", "", text, ""]
    return lines


def duration(seconds: float) -> str:
    """Three digits, or all that stand before the point.

    >>> duration(7.642), duration(2280.4)
    ('7.64 s', '2,280 s')
    """
    return f"{seconds:,.0f} s" if seconds >= 1000 else f"{seconds:.3g} s"


def page(name: str, found: Recipe, recording: Recording) -> str:
    """The page of a recipe."""
    summary = json.loads((recording.directory / "summary.json").read_text(encoding="utf-8"))
    shown = reported(recording)
    study, facts = recording.study, recording.facts
    seeds = "" if len(study.seeds) == len(found.study.seeds) else f" --seeds {len(study.seeds)}"
    throughput = facts["throughput"]
    seconds = throughput["compile_seconds"]
    compiled = f"compiled in {seconds:.3g} s" if seconds > 0.1 else "found compiled"
    versions = ", ".join(f"{package} {version}" for package, version in facts["versions"].items())
    lines = [f"# {name}", "", found.title + ".", "", f"Source: {found.source}", ""]
    lines += [f"**{summary['headline']}**", ""]
    lines += [
        f"{len(recording.members)} networks, {compiled}, trained in "
        f"{duration(throughput['train_seconds'])}: {throughput['net_steps_per_second']:,.0f} training steps of one "
        f"network a second, all of it recorded. Machine: {facts['machine']}. {versions}.",
        "",
    ]
    lines += ["```console", f"$ actlab compare {name}{seeds}", "```", ""]
    lines += ["## Result", "", f"{legend(summary)}", ""]
    lines += [result_table(summary, [milestone.name for milestone in study.milestones])]
    if recording.epochs <= FEW_EPOCHS:
        lines += [f"Validation {recording.lead.title} after each epoch, mean over the seeds:", ""]
        lines += [curve_table(recording, shown, recording.lead.validation)]
    if summary["published"]:
        lines += ["## Beside the source", "", published_table(summary["published"])]
    if found.statements:
        lines += ["## What the source found", "", *(f"- {statement}" for statement in found.statements), ""]
    if summary["findings"]:
        lines += ["## What was measured inside", "", *(f"- {row['sentence']}" for row in summary["findings"]), ""]
    lines += ["## Figures", "", *figures(recording, name)]
    lines += ["## To bear in mind", "", *(f"- {note}" for note in summary["notes"])]
    lines += [*(f"- {choice}" for choice in found.choices), f"- Data: {study.provenance}.", ""]
    return "\n".join(lines)


def index() -> str:
    """All pages with their headlines."""
    lines = ["# What the recipes gave", ""]
    lines += [
        "Published experiments over seeds instead of once; where numbers were published, they stand beside ours.",
        "",
    ]
    for path in sorted(RESULTS.glob("*.md")):
        if path.name != "README.md":
            found = path.read_text(encoding="utf-8").splitlines()
            headline = next(line.strip("*") for line in found if line.startswith("**"))
            lines += [f"- [{found[0].removeprefix('# ')}]({path.name}): {found[2]} {headline}"]
    return "\n".join([*lines, ""])


def main() -> None:
    """Run, write the page and the index, note the time."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name")
    parser.add_argument("directory", type=Path, nargs="?")
    parser.add_argument("--seeds", type=int)
    arguments = parser.parse_args()
    name = arguments.name
    recording, seconds = recorded(name, arguments.directory or Path("runs") / name, arguments.seeds)
    if seconds is None and name not in times():
        # A recording made elsewhere: what it says of itself, the report left out.
        seconds = recording.facts["throughput"]["compile_seconds"] + recording.facts["throughput"]["train_seconds"]
    if seconds is not None and (arguments.seeds is None or name not in times()):
        note_time(recording, name, seconds)
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.md"
    path.write_text(page(name, recipe(name), recording), encoding="utf-8")
    (RESULTS / "README.md").write_text(index(), encoding="utf-8")
    sys.stdout.write(f"wrote {path}\n")


if __name__ == "__main__":
    main()
