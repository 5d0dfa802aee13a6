"""Where a derivative (or a value) passes through zero, and a short polynomial for it there.

Next to such a root the usual formula is a difference of near-equal terms, of which rounding leaves little; its sign
may be wrong. The polynomials come from `roots.json`, which `benchmarks/roots.py` computes in 60 digits from the
formulas of the tests, and not from the functions here.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from actlab.functions.numerics.coefficients import table
from actlab.functions.numerics.pieces import absolute, is_single, polynomial


class Root(NamedTuple):
    """A simple root: f(x) = f(position) + d·polynomial(d) with d = x − position, for |d| < reach.

    `position` is the root rounded to the type, `at_position` the value there, `coefficients` have the highest power
    first.
    """

    position: float
    reach: float
    at_position: float
    coefficients: tuple[float, ...]


def _root(entry: list[Any]) -> Root:
    position, reach, at_position, coefficients = entry
    return Root(position, reach, at_position, tuple(coefficients))


#: name → for each root the pair for float32 and float64. "gelu" is its derivative, "gelu.value" would be its value.
ROOTS: dict[str, tuple[tuple[Root, Root], ...]] = {
    name: tuple((_root(single), _root(double)) for single, double in pairs)
    for name, pairs in table("roots.json").items()
}


def through_roots(general: Any, x: Any, xp: Any, name: str) -> Any:
    """Replace `general`, a derivative or value at `x`, by the polynomial of the root next to which x lies, if any.

    Args:
        general: what the usual formula gives at `x`.
        x: the input, float32 or float64.
        xp: its namespace.
        name: of the function, as in `ROOTS`.

    >>> import numpy as np
    >>> through_roots(np.zeros(2), np.array([-0.75, 3.0]), np, "gelu").round(5)
    array([0.00077, 0.     ])
    """
    for single, double in ROOTS.get(name, ()):
        root = single if is_single(x) else double
        distance = x - root.position
        inside = absolute(distance, xp) < root.reach
        # Elsewhere the distance is put to 0: an overflow in the polynomial would make a NaN of second derivatives.
        distance = xp.where(inside, distance, xp.zeros_like(distance))
        near = polynomial(distance, (*root.coefficients, root.at_position))
        general = xp.where(inside, near, general)
    return general
