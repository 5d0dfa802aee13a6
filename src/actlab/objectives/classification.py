"""Classes as targets: binary cross-entropy on one output, softmax cross-entropy on several.

z is a logit, z_k that of class k, y the index of the true class.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from actlab.functions import Activation, Formula, catalogue
from actlab.functions.arrays import is_jax
from actlab.functions.backends.tracing import Symbols
from actlab.functions.numerics import is_single, polynomial
from actlab.objectives.derived import DERIVED
from actlab.objectives.objective import Metric, Objective, Score

SIGMOID = catalogue["sigmoid"]


def _softplus(x: Any, xp: Any) -> Any:
    e = xp.exp(-xp.abs(x))
    ratio = e / (2.0 + e)
    # At most 1/3: eight terms leave 1e-9 of the sum, eighteen 1e-18.
    terms = 8 if is_single(x) else 18
    series = polynomial(ratio * ratio, [1 / (2 * k + 1) for k in reversed(range(terms))])
    return xp.maximum(x, 0.0) + 2.0 * ratio * series


#: log(1 + eˣ) = max(x, 0) + 2·artanh(e/(2 + e)), e = exp(−|x|), by artanh's power series: a third of the time of XLA's
#: log1p, which is most of what a small network's loss takes, and as near: within 2 ulp. The catalogue's rises without a
#: step back, too, which no loss needs.
SOFTPLUS = Activation(
    name="softplus of the loss",
    title="Softplus",
    formula=Formula("log(1 + exp(x))", r"\log(1 + e^x)"),
    family="loss",
    year=None,
    source="power series of artanh",
    value_rule=_softplus,
    derivative_rule=SIGMOID.value_rule,
)


def rule_of(function: Activation, x: Any, xp: Any) -> Any:
    """A function of arrays with its own derivative; of symbols, the operations that it is made of."""
    return function.value_rule(x, xp) if isinstance(x, Symbols) else function(x)


def _held(x: Any) -> Any:
    """An array through which no gradient flows."""
    return sys.modules["jax"].lax.stop_gradient(x) if is_jax(x) else x


def _single(outputs: Any, axis: int) -> Any:
    """The logit of each sample, without the axis of the outputs."""
    return outputs.reshape(*outputs.shape[:axis], *outputs.shape[axis + 1 :])


def _binary_loss(outputs: Any, targets: Any, xp: Any, axis: int) -> Any:
    """log(1 + e^z) − y·z: −log σ(z) for class 1, −log σ(−z) for class 0."""
    logit = _single(outputs, axis)
    return rule_of(SOFTPLUS, xp.where(targets == 1, -logit, logit), xp)


def _binary_decision(outputs: Any, xp: Any, axis: int) -> Any:
    return (_single(outputs, axis) > 0) + 0


def _binary_decided(outputs: Any, targets: Any, xp: Any, axis: int) -> Any:
    logit = _single(outputs, axis)
    return xp.where(targets == 1, logit > 0, logit <= 0)


def _binary_probability(outputs: Any, xp: Any, axis: int) -> Any:
    return rule_of(SIGMOID, outputs, xp)


def _binary_likelihood(outputs: Any, targets: Any, xp: Any, axis: int) -> Any:
    return _single(_binary_probability(outputs, xp, axis), axis)


def _loss(outputs: Any, targets: Any, xp: Any, axis: int) -> Any:
    """log Σ e^z_k − z_y."""
    shifted = outputs - _held(xp.max(outputs, axis=axis, keepdims=True))
    return xp.log(xp.sum(xp.exp(shifted), axis=axis)) - _own(shifted, targets, xp, axis)


def _own(values: Any, targets: Any, xp: Any, axis: int) -> Any:
    """Of each sample the value of its class."""
    along = [values.shape[axis] if i == axis else 1 for i in range(values.ndim)]
    classes = xp.arange(values.shape[axis]).reshape(along)
    return xp.sum(xp.where(classes == xp.expand_dims(targets, axis), values, 0.0), axis=axis)


def _decision(outputs: Any, xp: Any, axis: int) -> Any:
    """The largest, of equals the first."""
    return xp.argmax(outputs, axis=axis)


def _decided(outputs: Any, targets: Any, xp: Any, axis: int) -> Any:
    known = ~xp.isnan(xp.max(outputs, axis=axis))
    return (_decision(outputs, xp, axis) == targets) & known


def _probability(outputs: Any, xp: Any, axis: int) -> Any:
    powers = xp.exp(outputs - xp.max(outputs, axis=axis, keepdims=True))
    return powers / xp.sum(powers, axis=axis, keepdims=True)


def _likelihood(outputs: Any, targets: Any, xp: Any, axis: int) -> Any:
    return _own(_probability(outputs, xp, axis), targets, xp, axis)


def class_entropy(frequencies: np.ndarray) -> float:
    """−Σ p ln p in nats: the cross-entropy of saying how frequent each class is.

    >>> round(class_entropy(np.array([0.5, 0.5])), 4), class_entropy(np.array([1.0, 0.0]))
    (0.6931, 0.0)
    """
    present = frequencies[frequencies > 0]
    return max(0.0, float(-(present * np.log(present)).sum()))


def _binary_brier(outputs: Any, targets: Any, xp: Any, axis: int) -> Any:
    """2·(p − y)²: of both classes, as where there are several."""
    logit = _single(outputs, axis)
    away = xp.where(targets == 1, -logit, logit)
    # The power of the loss: an observation of small networks takes a tenth longer with another one.
    e = xp.exp(-xp.abs(away))
    wrong = xp.where(away > 0, 1.0, e) / (1.0 + e)
    return 2.0 * wrong * wrong


def _brier(outputs: Any, targets: Any, xp: Any, axis: int) -> Any:
    """Σ_k (p_k − y_k)² = Σ p_k² − 2·p_y + 1."""
    shares = _probability(outputs, xp, axis)
    return xp.sum(shares * shares, axis=axis) - 2.0 * _own(shares, targets, xp, axis) + 1.0


def _metrics(loss: Score, decided: Score, brier: Score) -> tuple[Metric, ...]:
    """Cross-entropy, accuracy, balanced accuracy and the Brier score.

    Sources: Brodersen and others 2010, The balanced accuracy and its posterior distribution, doi 10.1109/ICPR.2010.764;
    Brier 1950, Verification of forecasts expressed in terms of probability, Monthly Weather Review 78, 1–3.
    """
    return (
        Metric("loss", "cross-entropy", loss, "lower", "nats"),
        Metric("accuracy", "accuracy", decided, "higher", "%", 100.0),
        Metric("balanced_accuracy", "balanced accuracy", decided, "higher", "%", 100.0, by_class=True, aside=True),
        Metric("brier", "Brier score", brier, "lower", "", aside=True),
    )


BINARY = Objective(
    "binary",
    _binary_loss,
    _binary_decision,
    _binary_probability,
    _metrics(_binary_loss, _binary_decided, _binary_brier),
    _binary_decided,
    _binary_likelihood,
    class_entropy,
    derived=DERIVED,
)
CLASSES = Objective(
    "classes",
    _loss,
    _decision,
    _probability,
    _metrics(_loss, _decided, _brier),
    _decided,
    _likelihood,
    class_entropy,
    derived=DERIVED,
)
