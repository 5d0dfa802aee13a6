"""Where nothing is learnt and nothing else is found: whether inputs tell the targets at all, by their neighbours."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from actlab.diagnosis.course import Course
from actlab.diagnosis.soft import made, middle_step
from actlab.statistics.findings.finding import Finding, share
from actlab.statistics.findings.labels import NEIGHBOURS, neighbour_vote
from actlab.watching.looks import Look
from actlab.wording import number

# By how much of their size weights have to have moved, all steps together, and in so many steps, before it is said: by
# whether neighbours do not tell the targets, are not known, or do. What has hardly moved has hardly begun; and where
# inputs do tell, many a healthy network stands still for a while before it learns.
UNTOLD, UNKNOWN, TOLD = (0.05, 30), (0.5, 150), (1.0, 200)
FEWEST = 100
# Standard errors by which a vote has to be above the largest class's share.
TELLING = 3.0
Neighbours = tuple[bool | None, float, float]


def nothing_learnt(looks: Sequence[Look], went: Course, neighbours: Neighbours) -> Finding | None:
    """That a network learns nothing, for which nothing else is to blame; not where its answers follow the input."""
    if went.answers:
        return None
    telling, vote, most = neighbours
    moved, steps = middle_step(looks) * looks[-1].step, looks[-1].step
    least, fewest = UNKNOWN if telling is None else TOLD if telling else UNTOLD
    if not moved >= least or steps < fewest:
        return None
    loss = f"its loss is {number(went.share)} times the best constant answer's, while signals and gradients pass"
    sentence = f"The network learns no more than always giving the same answer: {loss}."
    remedy = "Look at the labels and inputs, whether they belong together; and whether it learns one batch by heart."
    if telling is False:
        sentence = (
            f"The inputs do not tell the targets: of samples seen, {_said(vote, most)}; and the network learns "
            f"nothing: {loss}."
        )
        remedy = "Look at the labels and inputs, whether they belong together, and whether one of them was shuffled."
    elif telling:
        sentence += f" The inputs do tell the targets: of samples seen, {_said(vote, most)}."
        remedy = "Look at the model and the loop rather than at the data: whether it learns one batch by heart."
    evidence = {"share": went.share, "moved": moved, "neighbours": vote, "without": most}
    limits = {"moved": least, "steps": fewest}
    code = "labels_unlearnable" if telling is False else "learns_nothing"
    return made(code, sentence, evidence, None, looks[-1].step, remedy, limits)


def _said(vote: float, most: float) -> str:
    if math.isnan(most):
        return f"targets correlate by {number(vote, '.2f')} with those of their neighbours"
    return (
        f"{share(vote)} have the label that most of their neighbours have, where naming the largest class gets "
        f"{share(most)}"
    )


def neighbours_of(looks: Sequence[Look]) -> Neighbours:
    """Whether samples that lie near each other have the same target, by those seen at first.

    Returns:
        whether; of classes the share that the vote of neighbours gets right, of numbers the correlation with their
        mean; of classes the share of the largest. None and NaN where too few different samples were seen.
    """
    unknown = None, math.nan, math.nan
    samples: list[Any] = [look.facts["sample"] for look in looks if "sample" in look.facts]
    if not samples or len({(own[0].shape[1:], own[1].shape[1:]) for own in samples}) > 1:
        return unknown
    x, y = (np.concatenate([own[i] for own in samples]) for i in (0, 1))
    if not np.isfinite(x).all():
        return unknown
    # A sample that came twice would vote for itself.
    _, first = np.unique(x.round(6), axis=0, return_index=True)
    x, y = x[np.sort(first)], y[np.sort(first)]
    if len(y) < FEWEST:
        return unknown
    if y.ndim == 1:
        most = float(np.unique(y, return_counts=True)[1].max() / len(y))
        vote = neighbour_vote(x, np.unique(y, return_inverse=True)[1])
        error = math.sqrt(most * (1 - most) / len(y))
        return vote - most > TELLING * error, vote, most
    related = _neighbours_mean(x, y[:, 0].astype(float))
    return related * math.sqrt(len(y)) > TELLING, related, math.nan


def _neighbours_mean(x: np.ndarray, y: np.ndarray) -> float:
    """The correlation of numbers with the mean over their nearest neighbours."""
    deviation = x.std(axis=0)
    x = (x - x.mean(axis=0)) / np.where(deviation > 0, deviation, 1.0)
    squares = (x**2).sum(axis=1)
    distances = squares[:, None] + squares - 2 * x @ x.T
    np.fill_diagonal(distances, np.inf)
    near = np.argpartition(distances, NEIGHBOURS, axis=1)[:, :NEIGHBOURS]
    means = y[near].mean(axis=1)
    if not (means.std() > 0 and y.std() > 0):
        return 0.0
    return float(np.corrcoef(means, y)[0, 1])
