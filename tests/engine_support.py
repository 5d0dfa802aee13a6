"""What tests of the engine share. Whoever imports it has the devices and the cache of programs that users have."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from actlab.engine import devices, program
from actlab.engine.program import Program
from actlab.plan.evaluation import prepare
from actlab.plan.layout import Layouts
from actlab.plan.population import Population, populations
from actlab.study import Study
from actlab.tasks import Task
from actlab.tasks.task import build

# Before anything else uses JAX: its devices cannot be others later on.
devices.prepare()


def small_task(counts: Sequence[int], classes: int, shape: tuple[int, ...] = (2,), seed: int = 0) -> Task:
    """So many random samples for training, validation and test, in classes that have nothing to do with them."""
    rng = np.random.default_rng(seed)
    parts = [(rng.normal(size=(count, *shape)), np.arange(count) % classes) for count in counts]
    return build("small", *parts, provenance="made up")


def in_double(task: Task) -> Task:
    """The task with inputs of double precision, in which rounding hides no difference."""
    parts = ("x_train", "x_validation", "x_test")
    return dataclasses.replace(task, **{part: getattr(task, part).astype(np.float64) for part in parts})


def population_of(study: Study, task: Task) -> Population:
    """The one population of a study."""
    (population,) = populations(study, task.input_shape)
    return population


def compiled(study: Study, task: Task, chunk: int, layouts: Layouts | None = None) -> Program:
    """The program of a study, complete, of one population, that trains `chunk` epochs in a call."""
    return program.build(study, prepare(study, task), population_of(study, task), chunk, layouts)
