"""Which objective a network has, and how many outputs its targets ask for."""

from __future__ import annotations

from typing import Literal, get_args

from actlab.objectives.classification import BINARY, CLASSES
from actlab.objectives.objective import Objective
from actlab.objectives.regression import Loss, regression
from actlab.objectives.several import SEVERAL

#: What a study says of the loss: of numbers, or of several labels; nothing of classes.
StatedLoss = Loss | Literal["labels"]


def objective_for(outputs: int, loss: StatedLoss | None = None) -> Objective:
    """The objective of a network by the number of its outputs.

    Of classes, one is a logit of class 1, several are one each; of numbers and several labels, for which `loss` is
    given, each is one.

    >>> objective_for(1).name, objective_for(3).name, objective_for(1, "squared").name
    ('binary', 'classes', 'squared')
    """
    if loss == "labels":
        return SEVERAL
    if loss is not None:
        return regression(loss, outputs)
    return BINARY if outputs == 1 else CLASSES


def objective_named(name: str, outputs: int) -> Objective:
    """The objective that a recording names.

    >>> objective_named("classes", 2).name, objective_named("huber", 1).name
    ('classes', 'huber')
    """
    losses = {loss: loss for loss in get_args(Loss)}
    if name in losses:
        return regression(losses[name], outputs)
    return {"binary": BINARY, "classes": CLASSES, "labels": SEVERAL}[name]


def outputs_for(classes: int) -> tuple[int, ...]:
    """How many outputs a network may have for so many classes, the usual number first.

    >>> outputs_for(2), outputs_for(10)
    ((1, 2), (10,))
    """
    return (1, 2) if classes == 2 else (classes,)
