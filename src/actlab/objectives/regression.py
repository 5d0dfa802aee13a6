"""Numbers as targets: squared, absolute or Huber's error of one or several outputs.

ŷ_k is output k, y_k the target, standardised by the training part: (number − mean) / standard deviation.
"""

from __future__ import annotations

import functools
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from actlab.objectives.objective import Metric, Objective, Score, Spread

#: What is made small: see `squared`, `absolute` and `huber`.
Loss = Literal["squared", "absolute", "huber"]


def _squares(outputs: Any, targets: Any, xp: Any, axis: int) -> Any:
    return (outputs - targets) * (outputs - targets)


def _sizes(outputs: Any, targets: Any, xp: Any, axis: int) -> Any:
    return xp.abs(outputs - targets)


def squared(outputs: Any, targets: Any, xp: Any, axis: int) -> Any:
    """Mean over the targets of (ŷ − y)²."""
    return xp.mean(_squares(outputs, targets, xp, axis), axis=axis)


def absolute(outputs: Any, targets: Any, xp: Any, axis: int) -> Any:
    """Mean over the targets of |ŷ − y|; its slope at 0 is 0."""
    return xp.mean(_sizes(outputs, targets, xp, axis), axis=axis)


def huber(outputs: Any, targets: Any, xp: Any, axis: int) -> Any:
    """Mean over the targets of e²/2 up to an error e of one standard deviation, of |e| − 1/2 beyond.

    Source: Huber 1964, Robust estimation of a location parameter, Annals of Mathematical Statistics 35, 73–101.
    """
    size = _sizes(outputs, targets, xp, axis)
    near = xp.minimum(size, 1.0)
    return xp.mean(near * (size - 0.5 * near), axis=axis)


def _scale(spread: Spread | None) -> float:
    assert spread is not None
    return float(spread.scales[0]) if len(spread.scales) == 1 else 1.0


def _rmse(means: Any, spread: Spread | None, part: int) -> Any:
    """The root of the mean squared error in the target's unit; of several, that of all in standard deviations."""
    scale = _scale(spread)
    return scale * np.sqrt(means.mean(axis=-1))


def _mae(means: Any, spread: Spread | None, part: int) -> Any:
    scale = _scale(spread)
    return scale * means.mean(axis=-1)


def _r2(means: Any, spread: Spread | None, part: int) -> Any:
    """1 − mean squared error / variance of the part, the mean over the targets; no number where one does not vary."""
    assert spread is not None
    variances = np.where(spread.variances[part] > 0, spread.variances[part], np.nan)
    return (1 - means / variances).mean(axis=-1)


def _prediction(outputs: Any, xp: Any, axis: int) -> Any:
    return outputs


def huber_constant(values: npt.NDArray[np.float64]) -> float:
    """The number of which the sum of Huber's errors to some values is least, by bisection of its slope.

    >>> round(huber_constant(np.array([0.0, 0.1, 0.2, 50.0])), 4)
    0.4333
    """
    low, high = float(values.min()), float(values.max())
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if np.clip(values - middle, -1, 1).sum() > 0 else (low, middle)
    return (low + high) / 2


_LOSSES: dict[Loss, tuple[str, Score, Any]] = {
    "squared": ("squared error", squared, lambda values: float(values.mean())),
    "absolute": ("absolute error", absolute, lambda values: float(np.median(values))),
    "huber": ("Huber's error", huber, huber_constant),
}


@functools.cache
def regression(loss: Loss, targets: int) -> Objective:
    """The objective of numbers as targets. Of several, metrics are means over standardised targets.

    Args:
        loss: what training makes small.
        targets: how many numbers a sample has, and the network outputs.

    >>> [metric.name for metric in regression("squared", 1).metrics]
    ['loss', 'rmse', 'mae', 'r2']
    """
    title, score, constant = _LOSSES[loss]
    unit = "" if targets == 1 else "SD"
    metrics = (
        Metric("loss", title, score, "lower", ""),
        Metric("rmse", "RMSE", _squares, "lower", unit, finish=_rmse),
        Metric("mae", "MAE", _sizes, "lower", unit, aside=True, finish=_mae),
        Metric("r2", "R²", _squares, "higher", "", finish=_r2),
    )
    return Objective(loss, score, _prediction, _prediction, metrics, constant=constant)
