"""How time and memory grow: with members (2-2-1, 1 to 10,000), with width, with data; docs/pictures/growth.svg.

    .venv/bin/python benchmarks/growth.py

Every point is a whole run in a process of its own, everything recorded: training seconds (compiling apart) and the most
memory that the process took, of which some 0.3 GB are there before anything is trained.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table

MEMBERS = (1, 10, 100, 1_000, 10_000)
WIDTHS = (8, 32, 128, 512, 2048)
SAMPLES = (1_000, 4_000, 16_000, 64_000)
PICTURE = Path(__file__).parent.parent / "docs" / "pictures" / "growth.svg"
AXES = {"members": MEMBERS, "width": WIDTHS, "samples": SAMPLES}
TITLES = {
    "members": "members (2-2-1, batch 16, 10 epochs)",
    "width": "hidden units (64-n-n-10, 4 members, 5 epochs of 1,500)",
    "samples": "training samples (64-32-10, 4 members, 5 epochs)",
}


def one_run(axis: str, value: int) -> dict[str, float]:
    """Seconds and bytes of one run."""
    from actlab import engine
    from actlab.layers import Act, Dense
    from actlab.recipes import recipe
    from actlab.study import Study
    from actlab.tasks.task import build

    task = None
    if axis == "members":
        study = Study(
            **(recipe("parabolas").study.model_dump() | {"activations": ["tanh"], "seeds": value, "epochs": 10})
        )
    else:
        count, width = (value, 32) if axis == "samples" else (1_500, value)
        rng = np.random.default_rng(0)
        x, y = rng.normal(size=(count, 64)), np.arange(count) % 10
        task = build("random", (x, y), (x[:200], y[:200]), (x[:200], y[:200]), provenance="random")
        hidden = [Dense(width), Act()] * (2 if axis == "width" else 1)
        study = Study(task="random", network=[*hidden, Dense(10)], activations=["tanh"], seeds=4, epochs=5)
    with tempfile.TemporaryDirectory() as directory:
        found = engine.train(study, Path(directory) / "run", task=task).facts["throughput"]
    peak = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"seconds": found["train_seconds"], "rate": found["net_steps_per_second"], "bytes": peak}


def main() -> None:
    """Run every point, print a table for each axis, draw the picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--point", nargs=2, help=argparse.SUPPRESS)
    point = parser.parse_args().point
    if point:
        sys.stdout.write(f"\n{json.dumps(one_run(point[0], int(point[1])))}\n")
        return
    figure = Figure(figsize=(10, 5), layout="constrained")
    panels = figure.subplots(2, len(AXES), sharey="row")
    for column, (axis, values) in enumerate(AXES.items()):
        found = [_in_a_process(axis, value) for value in values]
        table = Table(title=TITLES[axis])
        for head in (axis, "seconds", "steps of one network/s", "peak memory, MB"):
            table.add_column(head, justify="right")
        for value, own in zip(values, found, strict=True):
            table.add_row(f"{value:,}", f"{own['seconds']:.3g}", f"{own['rate']:,.0f}", f"{own['bytes'] / 1e6:,.0f}")
        Console(width=110).print(table)
        label = TITLES[axis].partition(" (")[0]
        seconds, memory = panels[0][column], panels[1][column]
        seconds.loglog(values, [own["seconds"] for own in found], marker="o", color="#0172d2")
        seconds.set(xlabel=label, ylabel="training, s")
        memory.semilogx(values, [own["bytes"] / 1e9 for own in found], marker="o", color="#0172d2")
        memory.set(xlabel=label, ylabel="peak memory, GB")
        for ax in (seconds, memory):
            ax.grid(color="#e6e6e6")
            ax.minorticks_off()
            ax.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
            ax.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    panels[1][0].set_ylim(bottom=0)
    figure.savefig(PICTURE, metadata={"Date": None})


def _in_a_process(axis: str, value: int) -> dict[str, float]:
    done = subprocess.run([sys.executable, __file__, "--point", axis, str(value)], capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    main()
