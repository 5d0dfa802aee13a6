"""Where lanes and stacked layout cross: milliseconds a step, by width and number of members.

    .venv/bin/python benchmarks/layouts.py

Two hidden layers of the given width on the two parabolas, batch 16, SGD, tanh and ReLU; no recording. The crossing sets
`actlab.engine.layouts.LANES_INPUTS`.
"""

from __future__ import annotations

import statistics

from rich.console import Console
from rich.table import Table

from actlab import tasks
from actlab.engine.layouts import Lanes, Layout, Stacked
from actlab.layers import Act, Dense
from actlab.recipes import recipe
from actlab.study import Study
from engine_timer import EngineTimer

WIDTHS = (2, 3, 4, 6, 8, 12, 16, 24, 32)
SEEDS = (4, 16, 64)
EPOCHS = 2


def step_timer(task: tasks.Task, width: int, seeds: int, layout: Layout) -> EngineTimer:
    """A compiled population of that width, ready to be timed."""
    network = [Dense(width), Act(), Dense(width), Act(), Dense(1)]
    settings = recipe("parabolas").study.model_dump() | {
        "network": network,
        "activations": ["tanh", "relu"],
        "seeds": seeds,
    }
    return EngineTimer(Study(**settings), task, layout, EPOCHS)


def main() -> None:
    """Print a table of medians, the two layouts taking turns."""
    task = tasks.load("parabolas")
    table = Table(title="milliseconds a training step: lanes / stacked (ratio)")
    table.add_column("width", justify="right")
    for seeds in SEEDS:
        table.add_column(f"2 × {seeds} members", justify="right")
    for width in WIDTHS:
        cells = []
        for seeds in SEEDS:
            timers = [step_timer(task, width, seeds, layout) for layout in (Lanes(), Stacked())]
            rounds = [[1e3 * timer.epoch_seconds()[0] / timer.steps for timer in timers] for _ in range(7)]
            lanes, stacked = (statistics.median(column) for column in zip(*rounds, strict=True))
            cells.append(f"{lanes:.3f} / {stacked:.3f} ({stacked / lanes:.2f})")
        table.add_row(str(width), *cells)
    Console().print(table)


if __name__ == "__main__":
    main()
