"""Functions put together from lines and parabolas: clipped, gated, thresholded, shrunk; and a triangle."""

from __future__ import annotations

from typing import Any

import numpy as np

from actlab.functions.activation import Activation
from actlab.functions.definition import Formula, Parameter
from actlab.functions.numerics import above_zero, absolute, by_pieces, straight


def _relu6(x: Any, xp: Any) -> Any:
    return xp.clip(x, 0.0, 6.0)


def _hard_swish(x: Any, xp: Any) -> Any:
    # In this order nothing overflows, and −inf·0 does not come up.
    return xp.maximum(x, -3.0) * (xp.clip(x + 3.0, 0.0, 6.0) / 6.0)


def _hard_swish_derivative(x: Any, xp: Any) -> Any:
    return _gated_slope(x, xp, -3.0, 3.0, (2.0 * xp.clip(x, -3.0, 3.0) + 3.0) / 6.0)


def _hard_mish(x: Any, xp: Any) -> Any:
    return xp.maximum(x, -2.0) * (xp.clip(x + 2.0, 0.0, 2.0) * 0.5)


def _hard_mish_derivative(x: Any, xp: Any) -> Any:
    return _gated_slope(x, xp, -2.0, 0.0, xp.clip(x, -2.0, 0.0) + 1.0)


def _gated_slope(x: Any, xp: Any, low: float, high: float, between: Any) -> Any:
    """0 for x ≤ low, `between` up to `high`, 1 above; NaN goes through `between`."""
    return xp.where(x > high, 1.0, xp.where(x <= low, 0.0, between))


def _threshold(x: Any, xp: Any, threshold: Any, value: Any) -> Any:
    return xp.where(x > threshold, x, xp.where(x <= threshold, value, x))


def _hard_shrink(x: Any, xp: Any, threshold: Any) -> Any:
    return xp.where((x >= -threshold) & (x <= threshold), 0.0, x)


def _soft_shrink(x: Any, xp: Any, threshold: Any) -> Any:
    above, below = xp.maximum(x - threshold, 0.0), xp.minimum(x + threshold, 0.0)
    return xp.where(x > 0, above, below)


def _shrink_derivative(x: Any, xp: Any, threshold: Any) -> Any:
    return by_pieces(x, xp, (-threshold, threshold), (1.0, 0.0, 1.0))


def _smelu(x: Any, xp: Any, beta: Any) -> Any:
    height = xp.clip(x + beta, 0.0, 2.0 * beta)
    return xp.where(x > beta, x, height * (height / (4.0 * beta)))


def _smelu_derivative(x: Any, xp: Any, beta: Any = 1.0) -> Any:
    return xp.clip(x + beta, 0.0, 2.0 * beta) / (2.0 * beta)


def _sqnl(x: Any, xp: Any) -> Any:
    near = xp.clip(x, -2.0, 2.0)
    return near * (1.0 - 0.25 * absolute(near, xp))


def _sqnl_derivative(x: Any, xp: Any) -> Any:
    return 1.0 - 0.5 * xp.minimum(absolute(x, xp), 2.0)


def _srelu(x: Any, xp: Any, right_threshold: Any, right_slope: Any, left_threshold: Any, left_slope: Any) -> Any:
    right = right_threshold + right_slope * (x - right_threshold)
    left = left_threshold + left_slope * (x - left_threshold)
    return xp.where(x > right_threshold, right, xp.where(x > left_threshold, x, left))


def _srelu_by_right_threshold(x: Any, xp: Any, right_threshold: Any, right_slope: Any, **_: Any) -> Any:
    return xp.where(x > right_threshold, 1.0 - right_slope, xp.zeros_like(x))


def _srelu_by_right_slope(x: Any, xp: Any, right_threshold: Any, **_: Any) -> Any:
    return xp.where(x > right_threshold, x - right_threshold, 0.0)


def _srelu_by_left_threshold(
    x: Any, xp: Any, right_threshold: Any, left_threshold: Any, left_slope: Any, **_: Any
) -> Any:
    return xp.where((x <= left_threshold) & (x <= right_threshold), 1.0 - left_slope, xp.zeros_like(x))


def _srelu_by_left_slope(x: Any, xp: Any, right_threshold: Any, left_threshold: Any, **_: Any) -> Any:
    return xp.where((x <= left_threshold) & (x <= right_threshold), x - left_threshold, 0.0)


def _triangular(x: Any, xp: Any) -> Any:
    return 1.0 - xp.minimum(absolute(x, xp), 1.0)


def _ordered_thresholds(right_threshold: Any, right_slope: Any, left_threshold: Any, left_slope: Any) -> str | None:
    below = np.all(np.asarray(left_threshold) <= right_threshold)
    return None if below else "left_threshold must not be above right_threshold"


relu6 = Activation(
    name="relu6",
    title="ReLU6",
    formula=Formula("x clipped to [0, 6]", r"\min(6, \max(0, x))"),
    family="piecewise",
    year=2010,
    source="Krizhevsky, Convolutional deep belief networks on CIFAR-10, 2010",
    value_rule=_relu6,
    derivative_rule=straight((0.0, 6.0), (0.0, 1.0, 0.0)),
    notes="It is hard_tanh with minimum 0 and maximum 6. The derivative at 6 is 1 here, 0 in JAX.",
)

hard_swish = Activation(
    name="hard_swish",
    title="Hard swish",
    formula=Formula("x*(x + 3, clipped to [0, 6])/6", r"x \, \frac{\min(6, \max(0, x + 3))}{6}"),
    family="piecewise",
    year=2019,
    source="Howard and others, 2019, arXiv:1905.02244",
    value_rule=_hard_swish,
    derivative_rule=_hard_swish_derivative,
    aliases=("hard_silu",),
)

hard_mish = Activation(
    name="hard_mish",
    title="Hard Mish",
    formula=Formula("x*(x + 2, clipped to [0, 2])/2", r"x \, \frac{\min(2, \max(0, x + 2))}{2}"),
    family="piecewise",
    year=2020,
    source="Misra, H-Mish (digantamisra98/H-Mish), 2020; in the timm package (Wightman)",
    value_rule=_hard_mish,
    derivative_rule=_hard_mish_derivative,
    notes="Formula as commonly implemented: as in timm, which names Misra's notes as its origin.",
)

threshold = Activation(
    name="threshold",
    title="Threshold",
    formula=Formula(
        "x for x > threshold, else value",
        r"\begin{cases} x & x > \mathrm{threshold} \\ \mathrm{value} & x \le \mathrm{threshold} \end{cases}",
    ),
    family="piecewise",
    year=2014,
    source="With value 0 Konda, Memisevic and Krueger, 2014, arXiv:1402.3337; with any other PyTorch's nn.Threshold",
    value_rule=_threshold,
    derivative_rule=straight(("threshold",), (0.0, 1.0)),
    aliases=("thresholded_relu",),
    parameters=(Parameter("threshold", 1.0), Parameter("value", 0.0)),
    notes="PyTorch and Keras have no defaults; ONNX calls it alpha. Where it jumps the derivative is 0, that "
    "of the piece on the left.",
)

hard_shrink = Activation(
    name="hard_shrink",
    title="Hard shrink",
    formula=Formula(
        "x for |x| > threshold, else 0",
        r"\begin{cases} x & |x| > \mathrm{threshold} \\ 0 & |x| \le \mathrm{threshold} \end{cases}",
    ),
    family="piecewise",
    year=1994,
    source="Donoho and Johnstone, 1994, doi:10.1093/biomet/81.3.425",
    value_rule=_hard_shrink,
    derivative_rule=_shrink_derivative,
    parameters=(Parameter("threshold", 0.5, low=0.0),),
    notes="The derivative where it jumps is that of the piece on the left: 1 at -threshold, 0 at threshold. PyTorch "
    "calls the parameter lambd.",
)

soft_shrink = Activation(
    name="soft_shrink",
    title="Soft shrink",
    formula=Formula(
        "x - threshold for x > threshold, x + threshold for x < -threshold, else 0",
        r"\begin{cases} x - \mathrm{threshold} & x > \mathrm{threshold} \\"
        r" x + \mathrm{threshold} & x < -\mathrm{threshold} \\ 0 & \text{otherwise} \end{cases}",
    ),
    family="piecewise",
    year=1994,
    source="Donoho and Johnstone, 1994, doi:10.1093/biomet/81.3.425",
    value_rule=_soft_shrink,
    derivative_rule=_shrink_derivative,
    parameters=(Parameter("threshold", 0.5, low=0.0),),
    notes="PyTorch calls the parameter lambd.",
)

sparse_sigmoid = Activation(
    name="sparse_sigmoid",
    title="Sparse sigmoid",
    formula=Formula("(x + 1)/2, clipped to [0, 1]", r"\min(1, \max(0, \frac{x + 1}{2}))"),
    family="piecewise",
    year=2019,
    source="Blondel, Martins and Niculae, 2019, arXiv:1901.02324",
    value_rule=_smelu_derivative,
    derivative_rule=straight((-1.0, 1.0), (0.0, 0.5, 0.0)),
    notes="It is hard_sigmoid with slope 0.5.",
)

smelu = Activation(
    name="smelu",
    title="SmeLU",
    formula=Formula(
        "0 for x <= -beta, (x + beta)^2/(4*beta) up to beta, x above",
        r"\begin{cases} 0 & x \le -\beta \\ (x + \beta)^2 / (4 \beta) & |x| < \beta \\ x & x \ge \beta \end{cases}",
    ),
    family="piecewise",
    year=2020,
    source="Shamir, Lin and Coviello, 2020, arXiv:2010.09931; Shamir and Lin, 2022, arXiv:2202.06499; with beta 1 as "
    "sparse plus in JAX",
    value_rule=_smelu,
    derivative_rule=_smelu_derivative,
    aliases=("sparse_plus",),
    parameters=(Parameter("beta", 1.0, low=0.0),),
    constraint=above_zero("beta"),
    notes="With beta 1 its derivative is sparse_sigmoid.",
)

sqnl = Activation(
    name="sqnl",
    title="SQNL",
    formula=Formula(
        "x - x*|x|/4 for |x| <= 2, else sign(x)",
        r"\begin{cases} x - x |x| / 4 & |x| \le 2 \\ \mathrm{sign}(x) & |x| > 2 \end{cases}",
    ),
    family="piecewise",
    year=2018,
    source="Wuraola and Patel, 2018, doi:10.1109/IJCNN.2018.8489043",
    value_rule=_sqnl,
    derivative_rule=_sqnl_derivative,
    aliases=("square_nonlinearity",),
    notes="A survey (Kunc and Kléma, 2024, arXiv:2402.09092) finds slips in the formula as printed; this is the one of "
    "echoAI.",
)

srelu = Activation(
    name="srelu",
    title="SReLU",
    formula=Formula(
        "right_threshold + right_slope*(x - right_threshold) above right_threshold, x between, "
        "left_threshold + left_slope*(x - left_threshold) up to left_threshold, all learnt",
        r"\begin{cases} t_r + a_r (x - t_r) & x > t_r \\ x & t_l < x \le t_r \\"
        r" t_l + a_l (x - t_l) & x \le t_l \end{cases}",
    ),
    family="piecewise",
    year=2015,
    source="Jin, Xu, Feng, Wei, Xiong and Yan, 2015, arXiv:1512.07030",
    value_rule=_srelu,
    derivative_rule=straight(("left_threshold", "right_threshold"), ("left_slope", 1.0, "right_slope")),
    aliases=("s_shaped_relu",),
    parameters=(
        Parameter("right_threshold", 2.5, trainable=True),
        Parameter("right_slope", 1.0, trainable=True),
        Parameter("left_threshold", 0.0, trainable=True),
        Parameter("left_slope", 0.5, trainable=True),
    ),
    parameter_derivatives={
        "right_threshold": _srelu_by_right_threshold,
        "right_slope": _srelu_by_right_slope,
        "left_threshold": _srelu_by_left_threshold,
        "left_slope": _srelu_by_left_slope,
    },
    constraint=_ordered_thresholds,
    notes="The starting values are those of Keras-contrib, the mean where it draws at random: right_threshold from "
    "[0, 5], left_slope from [0, 1]. So it starts as a leaky ReLU, as in the paper, which then sets right_threshold "
    "from the data.",
)

triangular = Activation(
    name="triangular",
    title="Triangular",
    formula=Formula("max(0, 1 - |x|)", r"\max(0, 1 - |x|)"),
    family="piecewise",
    year=2000,
    source="Demuth and Beale, Neural Network Toolbox for MATLAB 6, MathWorks, 2000 (tribas)",
    value_rule=_triangular,
    derivative_rule=straight((-1.0, 0.0, 1.0), (0.0, 1.0, -1.0, 0.0)),
    aliases=("hat", "triangular_basis"),
    notes="Formula as commonly implemented; MATLAB may have had it before version 6. In finite elements it is the hat "
    "function. The Hat function of Hong, Siegel, Tan and Xu, 2022, arXiv:2208.04924, is this one moved to the right "
    "by 1. The derivative at the tip is 1, that of the piece on the left.",
)

FUNCTIONS = (
    relu6,
    hard_swish,
    hard_mish,
    threshold,
    hard_shrink,
    soft_shrink,
    sparse_sigmoid,
    smelu,
    sqnl,
    srelu,
    triangular,
)
