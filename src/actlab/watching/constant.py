"""The best answer that does not look at the input: what a network has to beat before it is said to learn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from actlab.watching.looks import Constant, Floats


def constant_of(kind: str, targets: Sequence[np.ndarray], weights: Floats | None = None, bend: float = 1.0) -> Constant:
    """The best constant answer for some targets: of several steps, as many as were kept.

    Args:
        kind: of the loss: "cross-entropy", "binary" of logits, "probabilities", "squared", "absolute"; no other one's
            best answer is known.
        targets: of each step, (samples,) classes or (samples, targets) numbers.
        weights: (classes,) of cross-entropy, or that of what is true in a binary one.
        bend: where an absolute loss passes from squared to straight.

    >>> constant_of("cross-entropy", [np.array([0, 0, 1]), np.array([1])]).majority
    0.5
    >>> constant_of("squared", [np.array([[0.0], [2.0]])])
    Constant(loss=1.0, majority=nan, samples=2, classes=0)
    """
    if not kind or not targets:
        return Constant()
    if kind == "cross-entropy":
        return _of_classes(np.concatenate(targets), weights)
    width = targets[-1].shape[1]
    values = np.concatenate([own for own in targets if own.shape[1] == width]).astype(float)
    if kind in ("binary", "probabilities"):
        return _of_labels(values, weights)
    if kind == "squared":
        return Constant(float(values.var(axis=0).mean()), samples=len(values))
    if kind == "absolute":
        return Constant(_of_absolute(values, bend), samples=len(values))
    return replace(Constant(), samples=len(values))


def _of_classes(targets: np.ndarray, weights: Floats | None) -> Constant:
    classes, counts = np.unique(targets, return_counts=True)
    majority, samples = float(counts.max() / counts.sum()), int(counts.sum())
    if weights is not None:
        counts = counts * weights[classes]
    if not counts.sum() > 0:
        return Constant(majority=majority, samples=samples)
    shares = counts / counts.sum()
    entropy = -float(np.dot(shares, np.log(np.where(shares > 0, shares, 1.0))))
    return Constant(entropy, majority, samples, len(classes))


def _of_labels(values: Floats, weights: Floats | None) -> Constant:
    """Each column's own; `weights` is what a loss is multiplied by where the label is 1."""
    if values.min() == values.max():
        # As a generator asks a critic to answer: there is nothing to be told apart, and no constant to be beaten.
        return Constant(samples=len(values))
    means = np.clip(values.mean(axis=0), 1e-12, 1 - 1e-12)
    weight = 1.0 if weights is None else weights
    best = weight * means / (weight * means + 1 - means)
    entropy = -(weight * means * np.log(best) + (1 - means) * np.log1p(-best))
    majority = float(np.maximum(means, 1 - means).mean())
    return Constant(float(np.mean(entropy)), majority, len(values), 2)


def _of_absolute(values: Floats, bend: float) -> float:
    """Of |r|, squared within `bend` of 0 as in Huber's and the smooth absolute loss: at the median, nearly the best."""
    far = np.abs(values - np.median(values, axis=0))
    near = 0.5 * far**2 / bend if bend > 0 else far
    return float(np.where(far < bend, near, far - 0.5 * bend).mean())
