"""Which classes are taken for which, and which labels are missed: the test samples after the last epoch."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from actlab.recording import Recording
from actlab.statistics.intervals import Floats
from actlab.statistics.selection import Reported

# A matrix of more classes is no longer read; its largest entries are.
MOST_CLASSES = 20


class Confusion(NamedTuple):
    """A class taken for another one.

    Attributes:
        true, predicted: indices of the classes.
        samples: so many of the test samples, the mean over the members.
        share: of the test samples of the true class.
    """

    true: int
    predicted: int
    samples: float
    share: float


def confusion(recording: Recording, entry: Reported) -> Floats | None:
    """Test samples by true and predicted class, (classes, classes): the mean over the members that trained.

    Members whose outputs are no numbers count no more than those that diverged.

    Returns:
        None where targets are no classes, outputs were not recorded, or no member is left.
    """
    labels, outputs = recording.test_targets, _outputs(recording, entry)
    if outputs is None or labels is None or not recording.objective.decides:
        return None
    classes = len(recording.facts["classes"])
    predicted = recording.objective.decision(outputs, np, 2)
    places = np.broadcast_to(labels, predicted.shape) * classes + predicted
    return np.bincount(places.ravel(), minlength=classes**2).reshape(classes, classes) / len(outputs)


def label_confusion(recording: Recording, entry: Reported) -> Floats | None:
    """Test samples by whether they have a label and are said to, (labels, 2, 2): a mean over the members that trained.

    [label, 1, 0] are those that have it and are said not to: the label is missed.

    Returns:
        None where samples have no several labels, outputs were not recorded, or no member is left.
    """
    truth, outputs = recording.test_targets, _outputs(recording, entry)
    if outputs is None or truth is None or recording.objective.decides or recording.objective.predicts:
        return None
    has, said = truth > 0, recording.objective.decision(outputs, np, 2) > 0
    found = [[((has == a) & (said == b)).sum(axis=(0, 1)) / len(outputs) for b in (0, 1)] for a in (0, 1)]
    return np.moveaxis(np.array(found), -1, 0)


def _outputs(recording: Recording, entry: Reported) -> Floats | None:
    """The outputs of the members whose outputs are numbers, (members, samples, outputs); None where there are none."""
    if (outputs := recording.outputs) is None:
        return None
    kept = [column for column in entry.columns if not np.isnan(outputs[column]).any()]
    return outputs[kept] if kept else None


def most_frequent(matrix: Floats, count: int) -> list[Confusion]:
    """The classes that are most often taken for another one, by the share of their samples.

    Args:
        matrix: as `confusion` returns it.
        count: how many at most.

    >>> most_frequent(np.array([[8.0, 2.0], [0.0, 5.0]]), 3)
    [Confusion(true=0, predicted=1, samples=2.0, share=0.2)]
    """
    of_class = matrix.sum(axis=1, keepdims=True)
    shares = np.divide(matrix, of_class, out=np.zeros_like(matrix), where=of_class > 0)
    np.fill_diagonal(shares, 0.0)
    order = np.argsort(-shares, axis=None, kind="stable")[:count]
    rows, columns = np.unravel_index(order, matrix.shape)
    return [
        Confusion(int(i), int(j), float(matrix[i, j]), float(shares[i, j]))
        for i, j in zip(rows, columns, strict=True)
        if shares[i, j]
    ]
