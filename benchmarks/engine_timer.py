"""How long the engine takes to train, and to observe: its own compiled program, timed without the host's side."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence

import jax
import numpy as np

from actlab.engine import devices, program
from actlab.plan.batches import orders
from actlab.plan.evaluation import prepare
from actlab.plan.layout import Layouts
from actlab.plan.population import populations
from actlab.study import Study, complete
from actlab.tasks import Task


class EngineTimer:
    """A compiled population. Training alone is an epoch trained and observed less one that is observed.

    Attributes:
        members: networks in it.
        steps: training steps in an epoch.
    """

    def __init__(self, study: Study, task: Task, layouts: Layouts | None = None, epochs: int = 1) -> None:
        devices.prepare()
        study = complete(study, task)
        (population,) = populations(study, task.input_shape)
        self.members = len(population.variants) * len(population.seeds)
        self._built = program.build(study, prepare(study, task), population, epochs, layouts)
        self._order = orders(study, len(task.x_train), self._built.seeds, range(1, epochs + 1))
        self._epochs, self.steps = self._order.shape[:2]
        self._seconds(program.TRAIN)

    def _seconds(self, kind: int) -> float:
        start = time.perf_counter()
        jax.block_until_ready(self._built.advance(np.full(self._epochs, kind, np.int32), self._order))
        return (time.perf_counter() - start) / self._epochs

    def epoch_seconds(self) -> tuple[float, float]:
        """Seconds of an epoch's training, and of observing once."""
        both, observing = self._seconds(program.TRAIN), self._seconds(program.OBSERVE)
        return both - observing, observing


def medians(timer: EngineTimer, rounds: int = 3) -> tuple[float, float]:
    """Medians of training and of observing over some rounds."""
    found: Sequence[tuple[float, float]] = [timer.epoch_seconds() for _ in range(rounds)]
    training, observing = (statistics.median(column) for column in zip(*found, strict=True))
    return training, observing
