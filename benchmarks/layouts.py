"""Where lanes and stacked layout cross: milliseconds a step, by width and number of members; and planes beside stacked.

    .venv/bin/python benchmarks/layouts.py

Two hidden layers of the given width on the two parabolas, tanh and ReLU: a step of SGD on a batch of 16, nothing
recorded, whose crossing sets `actlab.plan.layout.MEMBERS_LAST_INPUTS`; then losses and accuracies on all 3,000
samples in the two layouts that a network can be observed in, on one device.
"""

from __future__ import annotations

import functools
import statistics
import time
from collections.abc import Callable

import jax
from rich.console import Console
from rich.table import Table

from actlab import tasks
from actlab.engine import measures, training
from actlab.engine.forward import PopulationModel
from actlab.engine.layouts import Layout, MembersFirst, MembersLast, SamplesLast
from actlab.layers import Act, Dense
from actlab.plan.evaluation import prepare, sliced
from actlab.plan.layout import MEMBERS_LAST_INPUTS, Layouts
from actlab.plan.population import populations
from actlab.recipes import recipe
from actlab.study import Study, complete
from engine_timer import EngineTimer

WIDTHS = (2, 3, 4, 6, 8, 12, 16, 24, 32)
SEEDS = (4, 16, 64)
EPOCHS = 2


def study_of(width: int, seeds: int) -> Study:
    """The parabolas' study with two hidden layers of that width."""
    network = [Dense(width), Act(), Dense(width), Act(), Dense(1)]
    own = {"network": network, "activations": ["tanh", "relu"], "seeds": seeds}
    return Study(**(recipe("parabolas").study.model_dump() | own))


def steps(task: tasks.Task, width: int, seeds: int, layout: Layout) -> Callable[[], float]:
    """A compiled population; each call gives the milliseconds of a training step."""
    timer = EngineTimer(study_of(width, seeds), task, Layouts(layout.name, "stacked"), EPOCHS)
    return lambda: 1e3 * timer.epoch_seconds()[0] / timer.steps


def evaluations(task: tasks.Task, width: int, seeds: int, layout: Layout) -> Callable[[], float]:
    """The evaluation of a population, compiled as in a run; each call gives its milliseconds."""
    study = complete(study_of(width, seeds), task)
    (population,) = populations(study, task.input_shape)
    keys = jax.vmap(jax.random.key)(jax.numpy.arange(seeds))
    params = training.initial_parameters(PopulationModel(population, layout), keys)
    data = jax.device_put(sliced(prepare(study, task).evaluation, population, patches=True))
    evaluate = jax.jit(functools.partial(measures.evaluate, PopulationModel(population, layout)))
    with jax.default_matmul_precision("highest"):
        compiled = evaluate.lower(params, data).compile(compiler_options=dict(MembersLast.compiler_options))
    jax.block_until_ready(compiled(params, data))

    def once() -> float:
        start = time.perf_counter()
        jax.block_until_ready(compiled(params, data))
        return 1e3 * (time.perf_counter() - start)

    return once


def compare(
    title: str, task: tasks.Task, timer: Callable[..., Callable[[], float]], ours: Layout, widths: tuple[int, ...]
) -> None:
    """Print a table of medians, a layout and the stacked one taking turns."""
    table = Table(title=f"{title}: {ours.name} / stacked (ratio)")
    table.add_column("width", justify="right")
    for seeds in SEEDS:
        table.add_column(f"2 × {seeds} members", justify="right")
    for width in widths:
        cells = []
        for seeds in SEEDS:
            timers = [timer(task, width, seeds, layout) for layout in (ours, MembersFirst())]
            rounds = [[once() for once in timers] for _ in range(7)]
            own, stacked = (statistics.median(column) for column in zip(*rounds, strict=True))
            cells.append(f"{own:.3f} / {stacked:.3f} ({stacked / own:.2f})")
        table.add_row(str(width), *cells)
    Console().print(table)


if __name__ == "__main__":
    parabolas = tasks.load("parabolas")
    compare("milliseconds a training step", parabolas, steps, MembersLast(), WIDTHS)
    observed = tuple(width for width in WIDTHS if width <= MEMBERS_LAST_INPUTS)
    compare("milliseconds an evaluation", parabolas, evaluations, SamplesLast(), observed)
