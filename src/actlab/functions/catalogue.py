"""The catalogue: every activation function by name or alias, and a user's own.

>>> from actlab.functions import catalogue
>>> catalogue["swish"].name, catalogue["Leaky-ReLU"].name
('silu', 'leaky_relu')
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from actlab.errors import InvalidFunction, UnknownName
from actlab.functions import (
    adaptive,
    elementary,
    error_function,
    gated_units,
    gating,
    grouping,
    growth,
    hyperbolic,
    modulating,
    normalising,
    periodic,
    piecewise,
    radial,
    rational,
    rectifying,
    spiking,
    square_root,
    squashing,
    stochastic,
    trainable,
)
from actlab.functions.activation import Activation, Formula, Parameter
from actlab.functions.registry import catalogue

_FAMILIES = (
    elementary,
    squashing,
    growth,
    normalising,
    piecewise,
    rectifying,
    square_root,
    trainable,
    rational,
    gating,
    modulating,
    gated_units,
    grouping,
    adaptive,
    error_function,
    hyperbolic,
    radial,
    periodic,
    stochastic,
    spiking,
)
# Numbers next to which nobody puts a kink, besides 0 and 1, in an odd shape.
_TRIAL = np.array([[-20.3, -2.1, -0.53], [0.0, 0.27, 1.0], [1.37, 3.3, 19.7]])

for _activation in (activation for family in _FAMILIES for activation in family.FUNCTIONS):
    catalogue.add(_activation)


def register(
    name: str,
    value: Callable[..., Any],
    *,
    derivative: Callable[..., Any] | None = None,
    source: str = "",
    formula: str | Formula = "",
    title: str = "",
    family: str = "own",
    year: int | None = None,
    aliases: Sequence[str] = (),
    parameters: Sequence[Parameter] = (),
    parameter_derivatives: Mapping[str, Callable[..., Any]] | None = None,
) -> Activation:
    """Add an elementwise function of your own to the catalogue and return it.

    Args:
        name: a name, not yet taken.
        value: `value(x, xp, **parameters)`, written over the namespace `xp` (NumPy's names): NumPy arrays
            come with `xp` NumPy, JAX arrays with `jax.numpy`.
        derivative: `derivative(x, xp, **parameters)`. Without it the derivative is JAX's automatic one, also
            for NumPy arrays (JAX is imported then), in the precision of the input.
        source: where it comes from.
        formula: shown in tables; plain text, or a `Formula` with LaTeX.
        title, family, year, aliases: shown beside it.
        parameters: its parameters; trainable ones are learnt by networks.
        parameter_derivatives: name → derivative with respect to that parameter; automatic where missing.

    Raises:
        InvalidFunction: the name is taken, `value` (or `derivative`) fails on a small array or does not return an array
            of the input's shape and type, or `derivative` is not what JAX's automatic differentiation gives.

    >>> from actlab.functions import register, unregister
    >>> mine = register("mine", lambda x, xp: x * xp.tanh(xp.exp(x)), source="me")
    >>> round(float(mine(1.0)), 4)
    0.9913
    >>> unregister("mine")
    """
    activation = Activation(
        name=name,
        title=title or str(name),
        formula=formula if isinstance(formula, Formula) else Formula(formula),
        family=family,
        year=year,
        source=source,
        value_rule=value,
        derivative_rule=derivative,
        aliases=tuple(aliases),
        parameters=tuple(parameters),
        parameter_derivatives=parameter_derivatives or {},
    )
    _try_rule(activation, "value", value)
    if derivative is not None:
        _try_rule(activation, "derivative", derivative)
        _compare_with_automatic(activation)
    catalogue.add(activation, own=True)
    return activation


def select(
    *, family: str | None = None, smooth: bool = False, monotone: bool = False, search: str = ""
) -> list[Activation]:
    """The functions of the catalogue that meet every condition, in its order.

    Args:
        family: as `Activation.family`.
        smooth: only those with neither kinks nor jumps, as measured.
        monotone: only those that never turn, as measured.
        search: words that must all occur in names, aliases, titles, formulas, sources, notes or names elsewhere.

    Raises:
        UnknownName: there is no such family.

    >>> [function.name for function in select(family="gating", search="swish elfwing")]
    ['silu']
    """
    families = dict.fromkeys(activation.family for activation in catalogue.values())
    wanted = None if family is None else family.replace(" ", "_").replace("-", "_").casefold()
    if wanted is not None and wanted not in families:
        raise UnknownName("family", str(family), families)
    chosen = [a for a in catalogue.values() if wanted in (None, a.family) and _mentions(a, search)]
    if smooth:
        chosen = [a for a in chosen if a.facts().smooth]
    return [a for a in chosen if a.facts().monotone] if monotone else chosen


def _mentions(activation: Activation, search: str) -> bool:
    a = activation
    words = " ".join(
        (a.name, *a.aliases, a.title, a.formula.plain, a.source, a.notes, *a.elsewhere.values())
    ).casefold()
    return all(word in words for word in search.casefold().split())


def unregister(name: str) -> None:
    """Take a function that was registered out of the catalogue; those that came with it stay.

    Raises:
        UnknownName: there is no such function.
        InvalidFunction: it is not a registered one.
    """
    activation = catalogue[name]
    if not catalogue.holds_own(activation.name):
        raise InvalidFunction(f"{activation.name!r} came with the catalogue and cannot be unregistered.")
    catalogue.remove(activation)


def _try_rule(activation: Activation, which: str, rule: Callable[..., Any]) -> None:
    """Call a rule once on a small array, as NumPy users will, and say what is wrong with it."""
    if not callable(rule):
        kind = type(rule).__name__
        raise InvalidFunction(f"the {which} of {activation.name!r} is no function: it is {kind!r}.")
    settings = activation.settings({})
    for dtype in (np.float64, np.float32):
        x = _TRIAL.astype(dtype)
        try:
            with np.errstate(all="ignore"):
                result = rule(x.copy(), np, **settings)
        except Exception as error:
            raise InvalidFunction(
                f"the {which} of {activation.name!r} failed on a small array: {type(error).__name__}: {error}. "
                f"It is called as {which}(x, xp{''.join(f', {key}=' for key in settings)})."
            ) from error
        _check_result(f"the {which} of {activation.name!r}", x, result)


def _check_result(rule: str, x: np.ndarray, result: Any) -> None:
    if not isinstance(result, np.ndarray) or result.dtype.kind != "f":
        kind = f"an array of {result.dtype}" if isinstance(result, np.ndarray) else type(result).__name__
        raise InvalidFunction(f"{rule} must return an array of real numbers; it returned {kind}.")
    if result.shape != x.shape:
        raise InvalidFunction(f"{rule} must keep the shape: {x.shape} became {result.shape}.")
    if result.dtype != x.dtype:
        raise InvalidFunction(
            f"{rule} must keep the type: {x.dtype} became {result.dtype}. Write constants as plain numbers, not as "
            "arrays, and make one branch of xp.where from x, as in xp.where(x > 0, x, 0.0)."
        )


def _compare_with_automatic(activation: Activation) -> None:
    """Raise InvalidFunction at the first input where the written derivative is not the automatic one."""
    import jax

    def value(x: Any) -> Any:
        return activation.value_rule(x, jax.numpy, **activation.settings({})).sum()

    written = activation.derivative(_TRIAL)
    with jax.enable_x64(True):
        automatic = np.asarray(jax.grad(value)(jax.numpy.asarray(_TRIAL)))
    # At 0 and 1 there may be a kink, at which both sides are right.
    differs = np.abs(written - automatic) > 1e-6 * np.maximum(np.abs(automatic), 1.0)
    differs &= np.isfinite(automatic) & (_TRIAL != 0) & (_TRIAL != 1)
    if np.any(differs):
        at = tuple(np.argwhere(differs)[0])
        raise InvalidFunction(
            f"the derivative of {activation.name!r} is not that of its value: at x = {_TRIAL[at]:g} it returns "
            f"{written[at]:.7g}, automatic differentiation {automatic[at]:.7g}. Correct it, or leave it out."
        )
