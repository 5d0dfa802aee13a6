"""Metrics that take all predictions of a part at once: of classes, computed by scikit-learn from recorded outputs.

No sum over the samples gives them, so they are not taken at every epoch but of the outputs after the last one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]
Labels = npt.NDArray[np.integer[Any]]


@dataclass(frozen=True)
class Derived:
    """A metric of the test part after the last epoch.

    Attributes:
        name, title, better, unit, scale: as of a `Metric`; it stands aside unless it leads.
        value: from outputs (samples, outputs), finite, and the samples' classes (samples,): a number, or NaN where it
            is not defined.
        one_class: whether it is defined where all samples are of one class.
    """

    name: str
    title: str
    value: Callable[[Floats, Labels], float]
    better: Literal["higher", "lower"] = "higher"
    unit: str = ""
    scale: float = 1.0
    one_class: bool = False

    def to_dict(self) -> dict[str, Any]:
        """What a summary says of it: as `Metric.to_dict`, and that it is known at the end alone."""
        said = {"name": self.name, "title": self.title, "better": self.better, "unit": self.unit, "scale": self.scale}
        return said | {"aside": True, "at_end": True}


def log_odds(outputs: Floats) -> Floats:
    """ln(p_k / (1 − p_k)) of each class, (samples, outputs) → (samples, classes) float64; of one output −z and z.

    They order the samples as the probabilities do, but where these are all 1 but for rounding they still tell them
    apart.

    >>> log_odds(np.array([[40.0]])).tolist(), log_odds(np.array([[0.0, 40.0]])).tolist()
    ([[-40.0, 40.0]], [[-40.0, 40.0]])
    """
    exact = outputs.astype(float)
    if exact.shape[1] == 1:
        return np.concatenate([-exact, exact], axis=1)
    shifted = exact - exact.max(axis=1, keepdims=True)
    powers = np.exp(shifted)
    rest = powers.sum(axis=1, keepdims=True) - powers
    # Of the largest, 1 − p by subtraction would be rounding alone.
    rows, largest = np.arange(len(exact)), exact.argmax(axis=1)
    others = powers.copy()
    others[rows, largest] = 0.0
    rest[rows, largest] = others.sum(axis=1)
    return shifted - np.log(np.maximum(rest, np.finfo(float).tiny))


def macro_f1(outputs: Floats, labels: Labels) -> float:
    """Mean over the classes of F1 = 2·TP / (2·TP + FP + FN); classes that no sample is of do not count.

    Source: van Rijsbergen 1979, Information Retrieval, chapter 7; scikit-learn's `f1_score(average="macro")`.

    >>> macro_f1(np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 0.0]]), np.array([0, 1, 0, 1]))
    0.7333333333333334
    """
    from sklearn.metrics import f1_score

    # As the objectives decide.
    decided = outputs[:, 0] > 0 if outputs.shape[1] == 1 else outputs.argmax(axis=1)
    return float(f1_score(labels, decided.astype(int), labels=np.unique(labels), average="macro"))


def roc_auc(outputs: Floats, labels: Labels) -> float:
    """The chance that a sample of a class has more of its log-odds than one of another class, ties counting half.

    Of two classes, that of class 1; of several, each against the rest, the mean over the classes that samples are of.
    NaN where all are of one class.

    Source: Hanley & McNeil 1982, doi 10.1148/radiology.143.1.7063747; scikit-learn's `roc_auc_score`.

    >>> roc_auc(np.array([[0.0, -1.0], [0.0, 0.5], [0.0, 0.3], [0.0, 2.0]]), np.array([0, 0, 1, 1]))
    0.75
    """
    from sklearn.metrics import roc_auc_score

    return _against_the_rest(roc_auc_score, outputs, labels)


def average_precision(outputs: Floats, labels: Labels) -> float:
    """Σ (recall_n − recall_{n−1})·precision_n down the samples in the order of the log-odds of a class.

    Of two classes, that of class 1; of several, each against the rest, the mean over the classes that samples are of.
    NaN where all are of one class.

    Source: Manning, Raghavan & Schütze 2008, Introduction to Information Retrieval, section 8.4; scikit-learn's
    `average_precision_score`.

    >>> round(average_precision(np.array([[0, -1.0], [0, 0.5], [0, 0.3], [0, 2.0]]), np.array([0, 0, 1, 1])), 4)
    0.8333
    """
    from sklearn.metrics import average_precision_score

    return _against_the_rest(average_precision_score, outputs, labels)


def _against_the_rest(score: Callable[..., Any], outputs: Floats, labels: Labels) -> float:
    odds, present = log_odds(outputs), np.unique(labels)
    if len(present) < 2:
        return float("nan")
    classes = [1] if odds.shape[1] == 2 else present.tolist()
    return float(np.mean([score(labels == label, odds[:, label]) for label in classes]))


#: Those of classes, in the order in which they stand beside the recorded ones.
DERIVED = (
    Derived("macro_f1", "macro F1", macro_f1, unit="%", scale=100.0, one_class=True),
    Derived("roc_auc", "ROC AUC", roc_auc),
    Derived("average_precision", "average precision", average_precision),
)
