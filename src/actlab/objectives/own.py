"""What the outputs of a network mean that is trained in a loop of a user's own: nobody here knows; its metrics do.

The rules of such an objective are never carried out: no network of it is computed again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from actlab.objectives.objective import Metric, Objective

#: By name, what is known of metrics that people record; each with its title, which values are better, unit and scale.
KNOWN: Mapping[str, tuple[str, Any, str, float]] = {
    "loss": ("loss", "lower", "", 1.0),
    "accuracy": ("accuracy", "higher", "%", 100.0),
    "balanced_accuracy": ("balanced accuracy", "higher", "%", 100.0),
    "f1": ("F1", "higher", "%", 100.0),
    "r2": ("R²", "higher", "", 1.0),
    "rmse": ("root mean squared error", "lower", "", 1.0),
    "mae": ("mean absolute error", "lower", "", 1.0),
    "perplexity": ("perplexity", "lower", "", 1.0),
    "score": ("score", "higher", "", 1.0),
}


def _unknown(outputs: Any, *_: Any, **__: Any) -> Any:
    raise TypeError("a network that was trained in a loop of a user's own is not computed again")


def known_metric(name: str, better: Any = None) -> Metric | None:
    """A metric by its name, in words; None where nobody has said which values of it are better.

    >>> known_metric("accuracy").unit, known_metric("bleu"), known_metric("bleu", "higher").title
    ('%', None, 'bleu')
    """
    if name not in KNOWN:
        return None if better is None else Metric(name, name.replace("_", " "), _unknown, better, "")
    title, usual, unit, scale = KNOWN[name]
    return Metric(name, title, _unknown, better or usual, unit, scale)


def own_objective(metrics: Iterable[Metric | Mapping[str, Any]]) -> Objective:
    """The objective of a training of which only its metrics are known, the loss among them.

    Args:
        metrics: as metrics, or as a recording declares them (`Metric.to_dict`).

    >>> own_objective([known_metric("loss")]).columns
    ('train_loss', 'validation_loss', 'test_loss')
    """
    made = tuple(
        replace(metric) if isinstance(metric, Metric) else Metric(**{**metric, "score": _unknown}) for metric in metrics
    )
    return Objective("own", _unknown, _unknown, _unknown, made)
