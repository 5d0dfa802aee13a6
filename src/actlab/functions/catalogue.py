"""The catalogue: every activation function by name or alias, and a user's own.

>>> from actlab.functions import catalogue
>>> catalogue["swish"].name, catalogue["Leaky-ReLU"].name
('silu', 'leaky_relu')
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from actlab.errors import ActlabWarning, InvalidFunction, UnknownName
from actlab.functions import registry
from actlab.functions.activation import Activation
from actlab.functions.definition import Formula, Parameter
from actlab.functions.families import (
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
from actlab.functions.measured.trials import try_out
from actlab.functions.registry import Catalogue
from actlab.functions.variants import bare

#: Every activation function by name or alias, and a user's own.
catalogue: Catalogue[Activation] = registry.catalogue

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
_MISSING = (
    "{name!r} is registered, but is not a number at x = {at:g}: a network that meets such an input diverges. Write it "
    "so that it is one everywhere, as with xp.maximum(x, 0.0) inside a root or logarithm."
)

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

    It is tried first, with NumPy and as JAX compiles it. One that is not a number at some inputs, as a logarithm, is
    registered with a warning that names the first.

    Args:
        name: a name, not yet taken.
        value: `value(x, xp, **parameters)`, written over the namespace `xp` (NumPy's names): NumPy arrays
            come with `xp` NumPy, JAX arrays with `jax.numpy`.
        derivative: `derivative(x, xp, **parameters)`. Without it the derivative is JAX's automatic one, also
            for NumPy arrays (JAX is imported then), in the precision of the input.
        formula: shown in tables; plain text, or a `Formula` with LaTeX.
        source, title, family, year, aliases: where it comes from, and what is shown beside it.
        parameters: its parameters; trainable ones are learnt by networks.
        parameter_derivatives: name → derivative with respect to that parameter; automatic where missing.

    Raises:
        InvalidFunction: the name is taken; `value` or a derivative fails, returns something else than an array like its
            input, branches on values, mixes its inputs, changes them or draws at random; `value` is finite nowhere; a
            derivative is not a number at a finite input (the automatic one: up to ±10⁶) where the value is one, or is
            not what JAX's automatic differentiation gives.

    >>> from actlab.functions import register, unregister
    >>> mine = register("mine", lambda x, xp: x * xp.tanh(xp.exp(xp.minimum(x, 20.0))), source="me")
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
    return admit(activation)


def admit(activation: Activation, *, imported: bool = False) -> Activation:
    """Add a user's function to the catalogue, an elementwise one once it has been tried; returns it.

    Args:
        activation: the function.
        imported: whether its name is "module:attribute", where it was imported from.

    Raises:
        InvalidFunction: as for `register`.
    """
    missing = try_out(activation) if activation.kind == "elementwise" else None
    catalogue.add(activation, own=True, imported=imported)
    if missing is not None:
        warnings.warn(_MISSING.format(name=activation.name, at=missing), ActlabWarning, stacklevel=3)
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
    activation = catalogue[bare(name)]
    if not catalogue.holds_own(activation.name):
        raise InvalidFunction(f"{activation.name!r} came with the catalogue and cannot be unregistered.")
    catalogue.remove(activation)
