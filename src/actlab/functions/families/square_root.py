"""Rectifiers that bend by a square root, without an exponential: squareplus, ISRLU, bent identity."""

from __future__ import annotations

from typing import Any

from actlab.functions.activation import Activation
from actlab.functions.definition import Formula, Parameter
from actlab.functions.numerics import absolute, finite, left_part


def _hypotenuse(size: Any, side: Any, xp: Any) -> Any:
    """√(size² + side²) for sizes and sides of 0 or more, whose squares may overflow or underflow."""
    longer = xp.where(size >= side, size, side)
    shorter = xp.where(size >= side, side, size)
    ratio = shorter / xp.where(longer > 0, longer, 1.0)
    return longer * xp.sqrt(1.0 + ratio * ratio)


def _squareplus_parts(x: Any, xp: Any, b: Any) -> tuple[Any, Any, Any]:
    """√(x² + b), and (√(x² + b) ± |x|)/2 without cancellation, the values right and left of 0."""
    size = absolute(finite(x, xp), xp)
    root = _hypotenuse(size, b**0.5, xp)
    # Far out both are the same, and XLA would add them before it halves the sum, which overflows.
    half = xp.where(root == size, size, 0.5 * size + 0.5 * root)
    return root, half, 0.25 * b / xp.where(half == 0, 1.0, half)


def _squareplus(x: Any, xp: Any, b: Any) -> Any:
    _, right, left = _squareplus_parts(x, xp, b)
    # Each side alone rises with every rounding; x + left would not.
    return xp.where(xp.isinf(x), xp.maximum(x, 0.0), xp.where(x > 0, right, left))


def _squareplus_derivative(x: Any, xp: Any, b: Any) -> Any:
    root, _, left = _squareplus_parts(x, xp, b)
    slope = left / xp.where(root == 0, 1.0, root)
    return xp.where(x > 0, 1.0 - slope, slope)


def _left_root(x: Any, xp: Any, alpha: Any) -> tuple[Any, Any, Any, Any]:
    """For z = √alpha·min(x, 0): x itself, bounded; 1 + 1/z² and 1/|z| where z < −1, else 1 + z² and 1; and where."""
    near = finite(left_part(x, xp), xp)
    size = -(alpha**0.5) * near
    far = size > 1
    inverse = 1.0 / xp.where(far, size, 1.0)
    ratio = xp.where(far, inverse, size)
    return near, 1.0 + ratio * ratio, inverse, far


def _isrlu(x: Any, xp: Any, alpha: Any) -> Any:
    near, square, _, far = _left_root(x, xp, alpha)
    limit = xp.where(far, alpha + 0.0 * near, 1.0) ** -0.5
    return xp.where(x > 0, x, xp.where(far, -limit, near) / xp.sqrt(square))


def _isrlu_derivative(x: Any, xp: Any, alpha: Any) -> Any:
    _, square, inverse, _ = _left_root(x, xp, alpha)
    return xp.where(x > 0, 1.0, inverse * inverse * inverse / (square * xp.sqrt(square)))


def _bent_identity(x: Any, xp: Any) -> Any:
    # √(x² + 1) − 1 = x²/(√(x² + 1) + 1) does not cancel near 0.
    near = finite(x, xp)
    quotient = near / (_hypotenuse(absolute(near, xp), 1.0, xp) + 1.0)
    return x * (1.0 + 0.5 * quotient)


def _bent_identity_derivative(x: Any, xp: Any) -> Any:
    near = finite(x, xp)
    return 1.0 + 0.5 * near / _hypotenuse(absolute(near, xp), 1.0, xp)


squareplus = Activation(
    name="squareplus",
    title="Squareplus",
    formula=Formula("(x + sqrt(x^2 + b))/2", r"\frac{x + \sqrt{x^2 + b}}{2}"),
    family="square_root",
    year=2021,
    source="Barron, Squareplus: a softplus-like algebraic rectifier, 2021, arXiv:2112.11687",
    value_rule=_squareplus,
    derivative_rule=_squareplus_derivative,
    parameters=(Parameter("b", 4.0, low=0.0),),
    notes="At b 0 it is ReLU.",
)

isrlu = Activation(
    name="isrlu",
    title="ISRLU",
    formula=Formula(
        "x for x > 0, else x/sqrt(1 + alpha*x^2)",
        r"\begin{cases} x & x > 0 \\ \frac{x}{\sqrt{1 + \alpha x^2}} & x \le 0 \end{cases}",
    ),
    family="square_root",
    year=2017,
    source="Carlile, Delamarter, Kinney, Marti and Whitney, 2017, arXiv:1710.09967",
    value_rule=_isrlu,
    derivative_rule=_isrlu_derivative,
    aliases=("inverse_square_root_linear",),
    parameters=(Parameter("alpha", 1.0, low=0.0),),
)

bent_identity = Activation(
    name="bent_identity",
    title="Bent identity",
    formula=Formula("(sqrt(x^2 + 1) - 1)/2 + x", r"\frac{\sqrt{x^2 + 1} - 1}{2} + x"),
    family="square_root",
    year=2017,
    source="Wagenaar, neataptic (package), 2017; in Wikipedia's table of activation functions by 2018",
    value_rule=_bent_identity,
    derivative_rule=_bent_identity_derivative,
    notes="Formula as commonly implemented; where it was first published is not known.",
)

FUNCTIONS = (squareplus, isrlu, bent_identity)
