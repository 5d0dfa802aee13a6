"""Which loss a function computes, found by what it gives for some outputs, whatever it is called."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

# Of more targets some are kept.
MOST_TARGETS = 4096
# In float32, with a loss that adds or clips by 1e-7.
TOLERANCE = 2e-4
_TRIALS = 3


@dataclass(frozen=True, eq=False)
class Loss:
    """A loss, as far as its targets tell.

    Attributes:
        kind: "cross-entropy" or "binary" where it is given logits, "probabilities" where a binary one is not,
            "squared", "absolute"; or "" of an unknown one.
        logits: whether a cross-entropy or binary loss is given logits.
        factor: what it is of the mean loss: 1, or the number of samples where it is a sum.
        targets: (samples,) classes, or (samples, targets) numbers.
    """

    kind: str = ""
    logits: bool = False
    factor: float = 1.0
    targets: np.ndarray | None = None


def known_loss(evaluate: Callable[[np.ndarray], float], shape: Sequence[int], targets: np.ndarray) -> Loss:
    """Name a loss by its values at some outputs: exact up to rounding at all of them, or unknown.

    Args:
        evaluate: the loss of outputs of this shape, with these targets.
        shape: of the outputs.
        targets: what the loss is taken with: classes, of one axis less than the outputs or with one at its end; one
            number for each class; or as many numbers as there are outputs.
    """
    if not math.prod(shape) or not targets.size or not np.isfinite(targets.astype(float)).all():
        return Loss()
    random = np.random.default_rng(0)
    draws = [random.normal(0.0, 1.5, shape).astype(np.float32) for _ in range(_TRIALS)]
    for loss, given, formula in _candidates(tuple(shape), targets):
        factors = []
        for draw in draws:
            outputs = given(draw).astype(np.float32)
            mean = formula(outputs.astype(np.float64))
            found = evaluate(outputs)
            factors.append(found / mean if mean else math.nan)
        for factor in (1.0, float(len(targets)), float(_count(loss, targets, shape))):
            if np.allclose(factors, factor, rtol=TOLERANCE):
                return Loss(loss.kind, loss.logits, factor, loss.targets)
    return Loss()


Formula = Callable[[np.ndarray], float]
Given = Callable[[np.ndarray], np.ndarray]


def _count(loss: Loss, targets: np.ndarray, shape: Sequence[int]) -> int:
    return math.prod(shape) if loss.kind != "cross-entropy" else math.prod(shape) // max(shape[-1], 1)


def _candidates(shape: tuple[int, ...], targets: np.ndarray) -> Iterator[tuple[Loss, Given, Formula]]:
    """Each kind that the targets allow, what outputs it is tried with, and the mean loss of these."""
    classes = _classes(shape, targets)
    if classes is not None:
        flat = classes.reshape(-1)
        own = flat[:MOST_TARGETS]

        def entropy(logarithms: np.ndarray) -> float:
            return -float(logarithms.reshape(-1, shape[-1])[np.arange(flat.size), flat].mean())

        yield Loss("cross-entropy", True, targets=own), _as_is, lambda x: entropy(_log_softmax(x))
        yield Loss("cross-entropy", False, targets=own), _softmax, lambda p: entropy(np.log(p))
    numbers = _numbers(shape, targets)
    if numbers is None:
        return
    own = numbers.reshape(len(numbers), -1)[:MOST_TARGETS, :64]
    if np.isin(numbers, (0, 1)).all():
        yield Loss("binary", True, targets=own), _as_is, lambda x: _binary(numbers, _sigmoid(x))
        yield Loss("probabilities", False, targets=own), _sigmoid, lambda p: _binary(numbers, p)
    yield Loss("squared", targets=own), _as_is, lambda x: float(np.mean((x - numbers) ** 2))
    yield Loss("absolute", targets=own), _as_is, lambda x: float(np.mean(np.abs(x - numbers)))


def _classes(shape: tuple[int, ...], targets: np.ndarray) -> np.ndarray | None:
    """Targets as classes, where they can be such."""
    if len(shape) < 2 or shape[-1] < 2:
        return None
    if targets.shape in (shape[:-1], (*shape[:-1], 1)):
        own = targets.reshape(shape[:-1])
        fits = (own == np.round(own)).all() and own.min() >= 0 and own.max() < shape[-1]
        return own.astype(int) if fits else None
    if targets.shape == shape and np.isin(targets, (0, 1)).all() and (targets.sum(axis=-1) == 1).all():
        return targets.argmax(axis=-1)
    return None


def _numbers(shape: tuple[int, ...], targets: np.ndarray) -> np.ndarray | None:
    same = targets.shape == shape
    fits = same or (targets.shape in (shape[:-1], (*shape[:-1], 1)) and shape[-1] == 1)
    return targets.reshape(shape).astype(np.float64) if fits else None


def _as_is(x: np.ndarray) -> np.ndarray:
    return x


def _log_softmax(x: np.ndarray) -> np.ndarray:
    shifted = x - x.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def _softmax(x: np.ndarray) -> np.ndarray:
    return np.exp(_log_softmax(x))


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def _binary(targets: np.ndarray, p: np.ndarray) -> float:
    return -float(np.mean(targets * np.log(p) + (1 - targets) * np.log1p(-p)))
