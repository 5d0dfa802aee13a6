"""Several labels of a sample: binary cross-entropy of each, one output a label.

z_k is output k, p_k = σ(z_k), y_k 1 where the sample has label k and 0 where it has not.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from actlab.objectives.classification import SIGMOID, SOFTPLUS, rule_of
from actlab.objectives.objective import Metric, Objective, Spread


def _losses(outputs: Any, targets: Any, xp: Any, axis: int) -> Any:
    """log(1 + e^z) − y·z of each label."""
    return rule_of(SOFTPLUS, xp.where(targets > 0.5, -outputs, outputs), xp)


def several_loss(outputs: Any, targets: Any, xp: Any, axis: int) -> Any:
    """The mean over the labels of the cross-entropy of each."""
    return xp.mean(_losses(outputs, targets, xp, axis), axis=axis)


def _right(outputs: Any, targets: Any, xp: Any, axis: int) -> Any:
    """Whether each label is decided rightly: False where an output is no number."""
    return xp.where(targets > 0.5, outputs > 0, outputs <= 0)


def _all_right(outputs: Any, targets: Any, xp: Any, axis: int) -> Any:
    return xp.min(xp.where(_right(outputs, targets, xp, axis), 1.0, 0.0), axis=axis)


def _share_right(outputs: Any, targets: Any, xp: Any, axis: int) -> Any:
    return xp.mean(xp.where(_right(outputs, targets, xp, axis), 1.0, 0.0), axis=axis)


def _counts(outputs: Any, targets: Any, xp: Any, axis: int) -> Any:
    """Twice the labels that are rightly said to be there, then those that are there and those that are said to be.

    Side by side along the axis of the outputs: what F1 = 2·TP / (2·TP + FP + FN) needs of each label.
    """
    there, said = xp.where(targets > 0.5, 1.0, 0.0), xp.where(outputs > 0, 1.0, 0.0)
    return xp.concatenate([2.0 * there * said, there + said], axis=axis)


def _halves(means: Any) -> tuple[Any, Any]:
    labels = means.shape[-1] // 2
    return means[..., :labels], means[..., labels:]


def f1_by_label(means: Any) -> Any:
    """F1 of each label, (..., labels), from the means of `_counts`; 0 of a label that is neither there nor said."""
    both, all_of_them = _halves(means)
    return np.where(all_of_them > 0, both / np.where(all_of_them > 0, all_of_them, 1.0), 0.0)


def _micro(means: Any, spread: Spread | None, part: int) -> Any:
    both, all_of_them = (half.sum(axis=-1) for half in _halves(means))
    return np.where(all_of_them > 0, both / np.where(all_of_them > 0, all_of_them, 1.0), 0.0)


def _macro(means: Any, spread: Spread | None, part: int) -> Any:
    return f1_by_label(means).mean(axis=-1)


def _probability(outputs: Any, xp: Any, axis: int) -> Any:
    return rule_of(SIGMOID, outputs, xp)


def _decision(outputs: Any, xp: Any, axis: int) -> Any:
    return (outputs > 0) + 0


def odds_of_share(values: npt.NDArray[np.float64]) -> float:
    """The output that says how frequent a label is, of its values (samples,) of 0 and 1; at most ±50.

    >>> odds_of_share(np.array([0.0, 1.0])), odds_of_share(np.zeros(3))
    (0.0, -50.0)
    """
    share = float(values.mean())
    with np.errstate(divide="ignore"):
        return float(np.clip(np.log(share) - np.log1p(-share), -50, 50))


def best_constant(metric: str, shares: npt.NDArray[np.float64]) -> npt.NDArray[np.float64] | None:
    """The outputs (labels,) that score best where all samples get the same, if those of the least loss do not.

    Args:
        metric: its name.
        shares: (labels,), how frequent each label is.

    >>> best_constant("micro_f1", np.array([0.1, 0.4, 0.3])), best_constant("loss", np.array([0.5]))
    (array([-1.,  1.,  1.]), None)
    """
    if metric == "macro_f1":
        return np.ones(len(shares))
    if metric != "micro_f1":
        return None
    order = np.argsort(-shares, kind="stable")
    scores = 2 * np.cumsum(shares[order]) / (np.arange(len(shares)) + 1 + shares.sum())
    outputs = -np.ones(len(shares))
    outputs[order[: int(np.argmax(scores)) + 1]] = 1.0
    return outputs


#: Several labels. Sources of the F1 scores: van Rijsbergen 1979, Information Retrieval; Tsoumakas, Katakis and Vlahavas
#: 2010, Mining multi-label data, doi 10.1007/978-0-387-09823-4_34.
SEVERAL = Objective(
    "labels",
    several_loss,
    _decision,
    _probability,
    (
        Metric("loss", "cross-entropy", several_loss, "lower", "nats"),
        Metric("micro_f1", "micro F1", _counts, "higher", "%", 100.0, finish=_micro),
        Metric("macro_f1", "macro F1", _counts, "higher", "%", 100.0, finish=_macro),
        Metric("subset_accuracy", "subset accuracy", _all_right, "higher", "%", 100.0, aside=True),
        Metric("label_accuracy", "label accuracy", _share_right, "higher", "%", 100.0, aside=True),
    ),
    constant=odds_of_share,
)
