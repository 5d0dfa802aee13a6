"""Whether the labels can be told from the inputs at all."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from actlab.recording import Recording
from actlab.statistics.findings.course import Course
from actlab.statistics.findings.finding import Finding, finding, share, when
from actlab.statistics.selection import Reported

# New samples that a network gets right so much more often than those it was trained on: healthy networks, measured
# without dropout, are at most 0.03 ahead (`benchmarks/faults.py`), with two fifths of the training labels wrong 0.3.
AHEAD = 0.1
# Of the way from always naming the largest class to everything right, what neither the network nor the neighbours of a
# sample get beyond. With three in ten labels of two classes wrong, 0.4 of it is there to be had.
TELLING = 0.4
# Where so few are wrong, as with one class that most samples belong to, no share of the labels worth a warning can be.
WRONG = 0.15
# Neighbours that vote, and samples among which they are looked for.
NEIGHBOURS, SAMPLES = 10, 1000


def labels_unlearnable(recording: Recording, entry: Reported, went: Course, neighbours: float) -> Finding | None:
    """Whether training labels are wrong, by what the network gets right of samples that it was and was not trained on.

    Two signs. Either validation samples are far more often right than training samples: then these are the ones with
    wrong labels. Or neither the network, at its best epoch, nor the vote of a sample's nearest neighbours gets more
    than two fifths of the way from naming the largest class to everything right: then labels are wrong in all parts of
    the data, or the inputs say little about them; which of the two, the numbers do not tell.

    Args:
        recording: of any study.
        entry: whose.
        went: its course.
        neighbours: see `neighbour_vote`; NaN where it is not known.
    """
    # The test data, where they are the validation data too, are looked at after the last epoch alone.
    first = recording.epochs if recording.study.validation == "test" else 1
    ahead = went.validation_accuracy[first:] - went.train_accuracy[first:]
    epoch = first + int(np.nanargmax(ahead)) if np.isfinite(ahead).any() else recording.epochs
    train, validation = went.train_accuracy[epoch], went.validation_accuracy[epoch]
    samples = recording.facts.get("samples", {}).get("validation")
    # Three standard errors of a share: small sets are ahead by luck.
    error = 3 * math.sqrt(max(validation * (1 - validation), 0.0) / samples) if samples else 0.0
    best = float(np.nanmax(went.validation_accuracy[first:], initial=0.0))
    evidence = {
        "epoch": epoch,
        "train_accuracy": train,
        "validation_accuracy": validation,
        "best_validation_accuracy": best,
        "neighbours": neighbours,
        "majority": went.majority,
    }
    if validation - train > max(AHEAD, error):
        sentence = (
            f"{entry.activation}: labels of training samples are wrong, or far harder than the others: "
            f"{share(train)} of these are right {when(epoch)}, and {share(validation)} of the validation samples."
        )
    elif went.poor and all(_untold(accuracy, went.majority) for accuracy in (best, neighbours)):
        sentence = (
            f"{entry.activation}: the inputs hardly tell the labels: at best {share(best)} of the validation samples "
            f"are right, and {share(neighbours)} of the training samples by the vote of their {NEIGHBOURS} nearest "
            f"neighbours, where naming the largest class gets {share(went.majority)}. Labels are "
            "wrong or mixed up, or the inputs say little about them."
        )
    else:
        return None
    remedy = "Look through the labels: whether they belong to their samples, and how many are wrong."
    return finding("labels_unlearnable", "warning", sentence, evidence, activation=entry.activation, remedy=remedy)


def _untold(accuracy: float, majority: float) -> bool:
    """Whether an accuracy is near that of naming the largest class, and leaves many wrong; no for no number."""
    return accuracy - majority < TELLING * (1 - majority) and 1 - accuracy > WRONG


def neighbour_vote(x: ArrayLike, y: ArrayLike) -> float:
    """Share of samples whose label is the most frequent one among their nearest neighbours, themselves left out.

    Distances are Euclid's, over features brought to one variance each; of many samples the first ones are taken.

    Args:
        x: (samples, ...).
        y: (samples,), whole numbers from 0.

    Returns:
        in [0, 1]; NaN with hardly more samples than neighbours.

    Source: Cover & Hart 1967, Nearest neighbor pattern classification, doi 10.1109/TIT.1967.1053964.

    >>> x = np.repeat([[0.0], [5.0]], 20, axis=0) + np.linspace(0, 1, 40)[:, None]
    >>> neighbour_vote(x, np.repeat([0, 1], 20))
    1.0
    """
    labels = np.asarray(y)[:SAMPLES].astype(int)
    columns = np.asarray(x, dtype=float)[:SAMPLES].reshape(len(labels), -1)
    if len(labels) < 2 * NEIGHBOURS:
        return math.nan
    deviation = columns.std(axis=0)
    columns = (columns - columns.mean(axis=0)) / np.where(deviation > 0, deviation, 1.0)
    squares = (columns**2).sum(axis=1)
    distances = squares[:, None] + squares - 2 * columns @ columns.T
    np.fill_diagonal(distances, np.inf)
    nearest = labels[np.argpartition(distances, NEIGHBOURS, axis=1)[:, :NEIGHBOURS]]
    votes = (nearest[..., None] == np.arange(labels.max() + 1)).sum(axis=1)
    return float(np.mean(votes.argmax(axis=1) == labels))
