"""An objective as data: rules over an array namespace, like those of the functions, and the metrics it declares."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from actlab.errors import InvalidStudy
from actlab.objectives.derived import Derived

#: The parts of the data, in the order of a recording.
PARTS = ("train", "validation", "test")


class Rule(Protocol):
    """A rule over the outputs of networks: `axis` is that of the outputs, which the result may lack."""

    def __call__(self, outputs: Any, xp: Any, axis: int) -> Any:
        """Compute it."""
        ...


class Score(Protocol):
    """A number or truth value of each sample; `targets` have the axes of the outputs without `axis`, or broadcast."""

    def __call__(self, outputs: Any, targets: Any, xp: Any, axis: int) -> Any:
        """Compute it."""
        ...


@dataclass(frozen=True)
class Spread:
    """What is known of numbers that are targets, and were standardised by the training part.

    Attributes:
        scales: (targets,), what 1 stands for in the unit of each: the standard deviation of its training part.
        variances: (parts, targets), of the standardised targets around the mean of their own part, in the order of
            `PARTS`.
    """

    scales: npt.NDArray[np.float64]
    variances: npt.NDArray[np.float64]


class Finish(Protocol):
    """What becomes of the means of a score, (..., targets), over the samples of a part: the metric, (...)."""

    def __call__(self, means: Any, spread: Spread | None, part: int) -> Any:
        """Compute it; `spread` is of numbers, `part` a place in `PARTS`."""
        ...


@dataclass(frozen=True)
class Metric:
    """A number that a recording holds for each member, epoch and part of the data.

    Attributes:
        name: as in "test_accuracy", without the part.
        title: in words.
        score: of each sample, a number or a truth value; the metric is its mean.
        by_class: whether the mean is that of the classes' means, in which each class weighs alike, however many
            samples it has; a class without samples does not count.
        aside: whether narrow tables leave it out unless it leads.
        finish: where targets are numbers or several labels, what becomes of the means of the score, which then keeps
            the axis of the outputs; None where the mean is the metric.
        better: whether higher or lower values are better.
        unit: as it is shown; values are multiplied with `scale` for it.
    """

    name: str
    title: str
    score: Score
    better: Literal["higher", "lower"]
    unit: str
    scale: float = 1.0
    by_class: bool = False
    aside: bool = False
    finish: Finish | None = None

    def __post_init__(self) -> None:
        known = re.fullmatch("[a-z][a-z0-9_]*", self.name) and self.better in ("higher", "lower")
        if not known or not isinstance(self.title, str) or not 0 < self.scale < math.inf:
            raise InvalidStudy(
                f"metric {self.name!r}: a name of small letters, digits and _, a title, better='higher' or 'lower' and "
                "a finite scale above 0 are expected."
            )

    def to_dict(self) -> dict[str, Any]:
        """What a recording says of it."""
        said = {"name": self.name, "title": self.title, "better": self.better, "unit": self.unit, "scale": self.scale}
        return said | ({"aside": True} if self.aside else {})


@dataclass(frozen=True)
class Objective:
    """What the outputs of a network mean.

    Attributes:
        name: "binary" or "classes"; "labels" where a sample has several; of numbers as targets, which error is made
            small: "squared", "absolute" or "huber"; "own" of a training in a loop of a user's own.
        loss: of each sample.
        decision: the class that each sample is put into; of numbers, the prediction.
        probability: of class 1 with one output, of each class along `axis` with several; of numbers, the prediction.
        metrics: in the order of a recording; "loss" is among them, and "accuracy" where classes are decided.
        decided: whether a sample is put into its class: False where an output is no number. None of numbers and
            several labels.
        likelihood: of each sample, the probability of class 1 with one output, of its own class with several. None of
            numbers.
        baseline: from the frequencies of the classes, the loss of the best answer that does not look at the input. None
            of numbers.
        derived: metrics that take all predictions at once, of the test part after the last epoch.
        constant: of one target's numbers (samples,), the output that is the best answer without looking at the input.
            None of classes.
    """

    name: Literal["binary", "classes", "labels", "squared", "absolute", "huber", "own"]
    loss: Score
    decision: Rule
    probability: Rule
    metrics: tuple[Metric, ...]
    decided: Score | None = None
    likelihood: Score | None = None
    baseline: Callable[[np.ndarray], float] | None = None
    constant: Callable[[npt.NDArray[np.float64]], float] | None = None
    derived: tuple[Derived, ...] = ()

    @property
    def decides(self) -> bool:
        """Whether each sample has one class."""
        return self.decided is not None

    @property
    def predicts(self) -> bool:
        """Whether the targets are numbers."""
        return self.constant is not None and self.name != "labels"

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the numbers that a recording holds for each member and epoch: each metric on each part."""
        return tuple(f"{part}_{metric.name}" for part in PARTS for metric in self.metrics)


def further(
    metrics: Iterable[Mapping[str, Any]], lead: str = "accuracy", *, narrow: bool = False
) -> list[Mapping[str, Any]]:
    """Of the metrics that a recording declares (`Metric.to_dict`), those besides the loss and the one that leads.

    In a narrow table without those that stand aside.

    >>> further([{"name": "loss"}, {"name": "accuracy"}, {"name": "brier"}])
    [{'name': 'brier'}]
    >>> further([{"name": "loss"}, {"name": "accuracy"}, {"name": "brier"}], lead="brier")
    [{'name': 'accuracy'}]
    """
    own = [metric for metric in metrics if metric["name"] not in ("loss", lead)]
    return [metric for metric in own if not metric.get("aside")] if narrow else own
