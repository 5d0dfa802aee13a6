"""Functions of the pocket calculator: the step and the line, powers, the exponential, logarithms and a root."""

from __future__ import annotations

from typing import Any

from actlab.functions.activation import Activation
from actlab.functions.definition import Formula
from actlab.functions.numerics import absolute, straight


def _step(x: Any, xp: Any) -> Any:
    return xp.where(x >= 0, 1.0, xp.where(x < 0, 0.0, x))


def _step_derivative(x: Any, xp: Any) -> Any:
    return xp.where(x == x, 0.0, x)


def _linear(x: Any, xp: Any) -> Any:
    return 1.0 * x  # a copy; TensorFlow has no +x


def _linear_derivative(x: Any, xp: Any) -> Any:
    return xp.where(x == x, 1.0, x)


def _exponential(x: Any, xp: Any) -> Any:
    return xp.exp(x)


def _quadratic(x: Any, xp: Any) -> Any:
    return x * x


def _quadratic_derivative(x: Any, xp: Any) -> Any:
    return 2.0 * x


def _cube(x: Any, xp: Any) -> Any:
    return x * x * x


def _cube_derivative(x: Any, xp: Any) -> Any:
    # In this order the first product is not subnormal where the second is normal.
    return 3.0 * x * x


def _absolute_value(x: Any, xp: Any) -> Any:
    return xp.abs(x)


def _inside(x: Any, xp: Any) -> tuple[Any, Any, Any]:
    """|x|, where it is at most 1, and the smaller of |x| and 1/|x|, whose square cannot overflow."""
    size = absolute(x, xp)
    near = size <= 1.0
    return size, near, xp.where(near, size, 1.0 / xp.where(near, 1.0, size))


def _arcsinh(x: Any, xp: Any) -> Any:
    # ln(|x| + √(1 + x²)): near 0 written so that nothing cancels, far out so that x² does not overflow.
    size, near, small = _inside(x, xp)
    root = xp.sqrt(1.0 + small * small)
    inner = xp.log1p(small + small * small / (1.0 + root))
    outer = xp.log(xp.where(near, 1.0, size)) + xp.log1p(root)
    result = xp.where(near, inner, outer)
    return xp.where(x >= 0, result, -result)


def _arcsinh_derivative(x: Any, xp: Any) -> Any:
    _, near, small = _inside(x, xp)
    return xp.where(near, 1.0, small) / xp.sqrt(1.0 + small * small)


def _softroot(x: Any, xp: Any) -> Any:
    # √(1 + |x|) − 1 = |x|/(√(1 + |x|) + 1), without the difference
    size = absolute(x, xp)
    finite = xp.where(xp.isinf(x), xp.zeros_like(x), x)
    return xp.where(xp.isinf(x), x, finite / (xp.sqrt(1.0 + size) + 1.0))


def _softroot_derivative(x: Any, xp: Any) -> Any:
    return 0.5 / xp.sqrt(1.0 + absolute(x, xp))


def _seagull(x: Any, xp: Any) -> Any:
    size, near, small = _inside(x, xp)
    rest = xp.log1p(small * small)
    return xp.where(near, rest, 2.0 * xp.log(xp.where(near, 1.0, size)) + rest)


def _seagull_derivative(x: Any, xp: Any) -> Any:
    # 2/x is a normal number where 2·(1/x) would not be.
    _, near, small = _inside(x, xp)
    return xp.where(near, 2.0 * x, 2.0 / xp.where(near, 1.0, x)) / (1.0 + small * small)


def _symmetric_log(x: Any, xp: Any) -> Any:
    result = xp.log1p(absolute(x, xp))
    return xp.where(x >= 0, result, -result)


def _symmetric_log_derivative(x: Any, xp: Any) -> Any:
    return 1.0 / (1.0 + absolute(x, xp))


step = Activation(
    name="step",
    title="Step",
    formula=Formula("1 for x ≥ 0, else 0", r"\mathbb{1}[x \geq 0]"),
    family="elementary",
    year=1943,
    source="McCulloch and Pitts, 1943, doi:10.1007/BF02478259",
    value_rule=_step,
    derivative_rule=_step_derivative,
    aliases=("heaviside", "binary_step"),
    notes="Its derivative is 0 everywhere, so nothing before it learns by gradient descent.",
)

linear = Activation(
    name="linear",
    title="Linear",
    formula=Formula("x", "x"),
    family="elementary",
    year=1960,
    source="Widrow and Hoff, Adaptive switching circuits, IRE WESCON, 1960",
    value_rule=_linear,
    derivative_rule=_linear_derivative,
    aliases=("identity",),
)

exponential = Activation(
    name="exponential",
    title="Exponential",
    formula=Formula("exp(x)", "e^x"),
    family="elementary",
    year=1989,
    source="Durbin and Rumelhart, 1989, doi:10.1162/neco.1989.1.1.133, on logarithms of the inputs (product units); by "
    "itself Koo and Ploenzke, 2019, doi:10.1101/650804",
    value_rule=_exponential,
    derivative_rule=_exponential,
    notes="Formula as commonly implemented; Keras has it too.",
)

quadratic = Activation(
    name="quadratic",
    title="Quadratic",
    formula=Formula("x^2", "x^2"),
    family="elementary",
    year=2014,
    source="Livni, Shalev-Shwartz and Shamir, 2014, arXiv:1410.1141",
    value_rule=_quadratic,
    derivative_rule=_quadratic_derivative,
    aliases=("square",),
)

cube = Activation(
    name="cube",
    title="Cube",
    formula=Formula("x^3", "x^3"),
    family="elementary",
    year=2014,
    source="Chen and Manning, 2014, doi:10.3115/v1/D14-1082",
    value_rule=_cube,
    derivative_rule=_cube_derivative,
    aliases=("cubic",),
)

absolute_value = Activation(
    name="absolute_value",
    title="Absolute value",
    formula=Formula("|x|", "|x|"),
    family="elementary",
    year=2009,
    source="Jarrett, Kavukcuoglu, Ranzato and LeCun, 2009, doi:10.1109/ICCV.2009.5459469",
    value_rule=_absolute_value,
    derivative_rule=straight((0.0,), (-1.0, 1.0)),
    aliases=("absolute", "abs"),
    notes="Its derivative at 0 is −1, that of the piece on the left; PyTorch gives 0 there, JAX 1.",
)

arcsinh = Activation(
    name="arcsinh",
    title="Inverse hyperbolic sine",
    formula=Formula("arcsinh(x) = ln(x + sqrt(1 + x^2))", r"\mathrm{arsinh}(x) = \ln(x + \sqrt{1 + x^2})"),
    family="elementary",
    year=2020,
    source="Parisi, m-arcsinh, 2020, arXiv:2009.07530, there times sqrt(|x|)/12",
    value_rule=_arcsinh,
    derivative_rule=_arcsinh_derivative,
    aliases=("asinh", "arsinh"),
    notes="Formula as commonly implemented. A paper that proposes it without a factor could not be found.",
)

softroot = Activation(
    name="softroot",
    title="Softroot",
    formula=Formula("sign(x)*(sqrt(1 + |x|) - 1)", r"\mathrm{sign}(x) \, (\sqrt{1 + |x|} - 1)"),
    family="elementary",
    year=2018,
    source="Pohlen and others, 2018, arXiv:1805.11593, to rescale returns, with a small multiple of x added",
    value_rule=_softroot,
    derivative_rule=_softroot_derivative,
    notes="Formula as commonly implemented. As an activation function by itself no paper could be confirmed.",
)

seagull = Activation(
    name="seagull",
    title="Seagull",
    formula=Formula("ln(1 + x^2)", r"\ln(1 + x^2)"),
    family="elementary",
    year=2020,
    source="Gao and Zhang, 2020, arXiv:2011.11713",
    value_rule=_seagull,
    derivative_rule=_seagull_derivative,
    notes="The echoAI package has the same formula and names the same paper, on even activation functions.",
)

symmetric_log = Activation(
    name="symmetric_log",
    title="Symmetric logarithm",
    formula=Formula("sign(x)*ln(1 + |x|)", r"\mathrm{sign}(x) \, \ln(1 + |x|)"),
    family="elementary",
    year=2012,
    source="Webber, 2012, doi:10.1088/0957-0233/24/2/027001; as symlog Hafner and others, 2023, arXiv:2301.04104",
    value_rule=_symmetric_log,
    derivative_rule=_symmetric_log_derivative,
    aliases=("symlog",),
    notes="Webber gives it as a scale for data. A survey (Kunc and Kléma, 2024, arXiv:2402.09092) reports it as an "
    "activation function from before symlog; that paper could not be confirmed.",
)

FUNCTIONS = (
    step,
    linear,
    exponential,
    quadratic,
    cube,
    absolute_value,
    arcsinh,
    softroot,
    seagull,
    symmetric_log,
)
