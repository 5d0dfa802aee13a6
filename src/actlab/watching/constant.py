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
        weights: (classes,) of cross-entropy; not taken here yet.
        bend: where an absolute loss passes from squared to straight.

    >>> constant_of("cross-entropy", [np.array([0, 0, 1]), np.array([1])]).majority
    0.5
    >>> constant_of("absolute", [np.array([[0.0], [2.0], [2.0]])], bend=0.0).loss.__round__(6)
    0.666667
    """
    if not kind or not targets or weights is not None:
        return Constant()
    if kind == "cross-entropy":
        _, counts = np.unique(np.concatenate(targets), return_counts=True)
        shares = counts / counts.sum()
        return Constant(float(-(shares * np.log(shares)).sum()), float(shares.max()), int(counts.sum()))
    width = targets[-1].shape[1]
    values = np.concatenate([own for own in targets if own.shape[1] == width]).astype(float)
    if kind in ("binary", "probabilities"):
        means = np.clip(values.mean(axis=0), 1e-12, 1 - 1e-12)
        entropy = -(means * np.log(means) + (1 - means) * np.log1p(-means))
        majority = float(np.maximum(means, 1 - means).mean())
        return Constant(float(entropy.mean()), majority, len(values))
    if kind == "squared":
        return Constant(float(values.var(axis=0).mean()), samples=len(values))
    if kind == "absolute":
        far = np.abs(values - np.median(values, axis=0))
        near = 0.5 * far**2 / bend if bend > 0 else far
        return Constant(float(np.where(far < bend, near, far - 0.5 * bend).mean()), samples=len(values))
    return replace(Constant(), samples=len(values))
