"""What a recipe is: a study with its story, and what its source published."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from actlab.study import Study

METRICS = ("test_accuracy", "test_loss", "validation_accuracy", "validation_loss", "train_accuracy")


@dataclass(frozen=True)
class Published:
    """One number of a source, to be held against the mean over seeds.

    Attributes:
        metric: "test_accuracy", "test_loss", "validation_accuracy", "validation_loss", "train_accuracy", or
            "milestone:NAME" for the epoch at which a milestone of the study is reached.
        value: as published; accuracies between 0 and 1.
        activation: of the study.
        epoch: after which it was measured; None for the last one, and for milestones.
        tolerance: how far a mean over seeds may lie from it and still count as the same result. What lies within the
            spread of the seeds, or in the interval of their mean, agrees anyhow; None where nothing else does.
        note: what makes it differ from ours, where something does.
    """

    metric: str
    value: float
    activation: str
    epoch: int | None = None
    tolerance: float | None = None
    note: str = ""


def curve(metric: str, activation: str, values: Sequence[float], note: str = "") -> tuple[Published, ...]:
    """Published numbers of one metric, epoch by epoch from 1 on.

    >>> [(point.epoch, point.value) for point in curve("train_accuracy", "relu", [0.3, 0.5])]
    [(1, 0.3), (2, 0.5)]
    """
    return tuple(Published(metric, value, activation, epoch, note=note) for epoch, value in enumerate(values, 1))


@dataclass(frozen=True)
class Recipe:
    """A study with its story.

    Attributes:
        title: one line.
        source: where the experiment was published, or the data come from.
        study: every setting stated.
        choices: for each setting that the source leaves out, or that differs from it, which value is taken and why.
        published: the source's numbers.
        statements: what the source says in words, for measured numbers to confirm or not.
    """

    title: str
    source: str
    study: Study
    choices: tuple[str, ...] = ()
    published: tuple[Published, ...] = ()
    statements: tuple[str, ...] = ()
