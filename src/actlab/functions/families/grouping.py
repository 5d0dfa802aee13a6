"""Functions of a whole group of units at once: softmax and its kin, maxout, the sorted and the largest ones.

Their rules take the axis of the units, and their derivative is written as a directional one, J·tangent.
"""

from __future__ import annotations

from typing import Any

from actlab.errors import InvalidFunction
from actlab.functions.activation import Activation
from actlab.functions.definition import Formula, Parameter
from actlab.functions.numerics import along, at_even_places, finite, places, unless_nan

# Shares of units this far below the largest are 0 in every type.
_FAR = 1e4


def _count(mask: Any, x: Any, xp: Any, axis: int) -> Any:
    return xp.sum(xp.where(mask, xp.ones_like(x), 0.0), axis=axis, keepdims=True)


def _softmax(x: Any, xp: Any, axis: int) -> Any:
    x = finite(x, xp)
    exponential = xp.exp(x - xp.max(x, axis=axis, keepdims=True))
    return exponential / xp.sum(exponential, axis=axis, keepdims=True)


def _centred(x: Any, tangent: Any, xp: Any, axis: int) -> Any:
    """The tangent less its weighted mean, the shares being the weights, which is the derivative of log-softmax.

    The mean is taken of the difference from the largest unit's tangent: where that unit has nearly everything, the
    small rest is then not lost in 1 − share.
    """
    top = finite(x, xp) == xp.max(finite(x, xp), axis=axis, keepdims=True)
    at_top = xp.sum(xp.where(top, tangent, 0.0), axis=axis, keepdims=True) / _count(top, x, xp, axis)
    apart = tangent - at_top
    return apart - xp.sum(_softmax(x, xp, axis) * apart, axis=axis, keepdims=True)


def _softmax_push(x: Any, tangent: Any, xp: Any, axis: int) -> Any:
    return _softmax(x, xp, axis) * _centred(x, tangent, xp, axis)


def _log_softmax(x: Any, xp: Any, axis: int) -> Any:
    largest = xp.max(x, axis=axis, keepdims=True)
    top = x == largest
    below = xp.where(top, 0.0, x - largest)
    # The sum of all exponentials less 1, which is exact for the largest units themselves.
    rest = xp.sum(xp.where(top, 0.0, xp.exp(below)), axis=axis, keepdims=True) + (_count(top, x, xp, axis) - 1.0)
    return below - xp.log1p(rest)


def _softmin(x: Any, xp: Any, axis: int) -> Any:
    return _softmax(-x, xp, axis)


def _softmin_push(x: Any, tangent: Any, xp: Any, axis: int) -> Any:
    return _softmax_push(-x, -tangent, xp, axis)


def _hardmax(x: Any, xp: Any, axis: int) -> Any:
    largest = xp.max(x, axis=axis, keepdims=True)
    top = xp.where(x == largest, xp.ones_like(x), 0.0)
    first = xp.where(xp.cumsum(top, axis=axis) == 1.0, top, 0.0)
    return first * unless_nan(largest, xp)


def _hardmax_push(x: Any, tangent: Any, xp: Any, axis: int) -> Any:
    largest = xp.max(x, axis=axis, keepdims=True)
    return xp.where(largest == largest, xp.zeros_like(largest), largest) * tangent


def _sparsemax(x: Any, xp: Any, axis: int) -> Any:
    x = finite(x, xp)
    # Units more than 1 below the largest get nothing, wherever they are.
    below = xp.maximum(x - xp.max(x, axis=axis, keepdims=True), -2.0)
    ordered = -xp.sort(-below, axis=axis)
    inside = 1.0 + places(x, xp, axis) * ordered > xp.cumsum(ordered, axis=axis)
    total = xp.sum(xp.where(inside, ordered, 0.0), axis=axis, keepdims=True)
    return xp.maximum(below - (total - 1.0) / _count(inside, x, xp, axis), 0.0)


def _sparsemax_push(x: Any, tangent: Any, xp: Any, axis: int) -> Any:
    share = _sparsemax(x, xp, axis)
    support = xp.where(share > 0, xp.ones_like(x), 0.0)
    size = xp.sum(support, axis=axis, keepdims=True)
    return support * (tangent - xp.sum(support * tangent, axis=axis, keepdims=True) / size)


def _tempered(x: Any, xp: Any, axis: int, temperature: Any, noise: Any) -> Any:
    """(x + noise)/temperature less its largest, and no further below that than matters: nothing overflows."""
    x = finite(x if noise is None else x + noise, xp)
    below = x - xp.max(x, axis=axis, keepdims=True)
    far = below < -_FAR * temperature
    return xp.where(far, -_FAR, xp.where(far, 0.0, below) / temperature)


def _gumbel_softmax(x: Any, xp: Any, axis: int, temperature: Any, noise: Any = None) -> Any:
    return _softmax(_tempered(x, xp, axis, temperature, noise), xp, axis)


def _gumbel_softmax_push(x: Any, tangent: Any, xp: Any, axis: int, temperature: Any, noise: Any = None) -> Any:
    return _softmax_push(_tempered(x, xp, axis, temperature, noise), tangent / temperature, xp, axis)


def _split(x: Any, axis: int, pieces: int) -> list[Any]:
    """The first of every run of consecutive units, the second of every run, and so on."""
    return [along(x, axis, slice(k, None, pieces)) for k in range(pieces)]


def _maxout(x: Any, xp: Any, axis: int, pieces: int) -> Any:
    best, *others = _split(x, axis, pieces)
    for value in others:
        best = xp.maximum(best, value)
    return best


def _maxout_push(x: Any, tangent: Any, xp: Any, axis: int, pieces: int) -> Any:
    best, *others = _split(x, axis, pieces)
    result, *tangents = _split(tangent, axis, pieces)
    for value, other in zip(others, tangents, strict=True):
        result = xp.where(value > best, other, result)
        best = xp.maximum(best, value)
    return result * unless_nan(best, xp)


def _crelu(x: Any, xp: Any, axis: int) -> Any:
    return xp.concatenate([xp.maximum(x, 0.0), xp.maximum(-x, 0.0)], axis=axis)


def _crelu_push(x: Any, tangent: Any, xp: Any, axis: int) -> Any:
    handed = tangent * unless_nan(x, xp)
    # Left of 0, the second half is −x.
    return xp.concatenate([xp.where(x <= 0, 0.0, handed), xp.where(x > 0, 0.0, -handed)], axis=axis)


def _partner(x: Any, xp: Any, axis: int) -> Any:
    """The other unit of each pair of consecutive ones."""
    if x.shape[axis] % 2:
        raise InvalidFunction(f"maxmin sorts pairs and needs an even number of units; it was given {x.shape[axis]}.")
    after = xp.concatenate([along(x, axis, slice(1, None)), along(x, axis, slice(0, 1))], axis=axis)
    before = xp.concatenate([along(x, axis, slice(-1, None)), along(x, axis, slice(0, -1))], axis=axis)
    return xp.where(at_even_places(x, xp, axis), after, before)


def _maxmin(x: Any, xp: Any, axis: int) -> Any:
    other = _partner(x, xp, axis)
    return xp.where(at_even_places(x, xp, axis), xp.maximum(x, other), xp.minimum(x, other))


def _maxmin_push(x: Any, tangent: Any, xp: Any, axis: int) -> Any:
    other, even = _partner(x, xp, axis), at_even_places(x, xp, axis)
    swapped = (even & (other > x)) | (~even & (other < x))
    return xp.where(swapped, _partner(tangent, xp, axis), tangent) * unless_nan(xp.maximum(x, other), xp)


def _threshold(x: Any, xp: Any, axis: int, share: Any) -> Any:
    """The smallest of the largest units that are kept: ⌊share·units⌋ of them, and at least one."""
    # The tiny addition undoes what rounding takes, as in 0.29·100 = 28.999….
    kept = share * x.shape[axis] + 1e-4
    ordered = -xp.sort(-x, axis=axis)
    place = places(x, xp, axis)
    winner = (place <= kept) | (place == 1.0)
    return xp.min(xp.where(winner, ordered, float("inf")), axis=axis, keepdims=True)


def _kwta(x: Any, xp: Any, axis: int, share: Any) -> Any:
    return xp.where(x < _threshold(x, xp, axis, share), 0.0, x)


def _kwta_push(x: Any, tangent: Any, xp: Any, axis: int, share: Any) -> Any:
    return xp.where(x < _threshold(x, xp, axis, share), 0.0, unless_nan(x, xp)) * tangent


softmax = Activation(
    name="softmax",
    title="Softmax",
    formula=Formula("exp(x_i)/sum_j exp(x_j)", r"\frac{e^{x_i}}{\sum_j e^{x_j}}"),
    family="grouping",
    year=1990,
    source="Bridle, 1990, doi:10.1007/978-3-642-76153-9_28",
    value_rule=_softmax,
    derivative_rule=_softmax_push,
    kind="grouping",
    notes="A share exp(-d) is relatively accurate to about d ulp, from rounding d. Equal largest units share "
    "alike, infinite ones too. PyTorch's Softmax2d is this function along axis -3, the channels of its images.",
)

log_softmax = Activation(
    name="log_softmax",
    title="Log-softmax",
    formula=Formula("x_i - ln(sum_j exp(x_j))", r"x_i - \ln \sum_j e^{x_j}"),
    family="grouping",
    year=1990,
    source="Logarithm of softmax (Bridle, 1990, doi:10.1007/978-3-642-76153-9_28)",
    value_rule=_log_softmax,
    derivative_rule=_centred,
    kind="grouping",
    notes="Of infinite units the largest share alike; units infinitely far below have -inf.",
)

softmin = Activation(
    name="softmin",
    title="Softmin",
    formula=Formula("exp(-x_i)/sum_j exp(-x_j)", r"\frac{e^{-x_i}}{\sum_j e^{-x_j}}"),
    family="grouping",
    year=1990,
    source="Softmax of -x (Bridle, 1990, doi:10.1007/978-3-642-76153-9_28)",
    value_rule=_softmin,
    derivative_rule=_softmin_push,
    kind="grouping",
    notes="As accurate as softmax.",
)

hardmax = Activation(
    name="hardmax",
    title="Hardmax",
    formula=Formula("1 for the first of the largest units, else 0", r"[\,i = \mathrm{argmax}_j \, x_j\,]"),
    family="grouping",
    year=2017,
    source="Operator of ONNX, 2017, onnx.ai/onnx/operators/onnx__Hardmax.html",
    value_rule=_hardmax,
    derivative_rule=_hardmax_push,
    kind="grouping",
    notes="Of equal largest units the first takes all. The derivative is 0.",
)

sparsemax = Activation(
    name="sparsemax",
    title="Sparsemax",
    formula=Formula("max(x_i - tau, 0), tau such that the outputs sum to 1", r"\max(x_i - \tau, 0),\ \sum_i y_i = 1"),
    family="grouping",
    year=2016,
    source="Martins and Astudillo, 2016, arXiv:1602.02068",
    value_rule=_sparsemax,
    derivative_rule=_sparsemax_push,
    kind="grouping",
    notes="Shares are accurate to a few ulp of 1. The derivative mixes the units whose share is above 0. Infinite "
    "units count as the largest finite number. Keras 3.15's activations.sparsemax gives other numbers: shares that do "
    "not sum to 1, for (0.3, 1, −2, 0.9) only 0.05.",
)

gumbel_softmax = Activation(
    name="gumbel_softmax",
    title="Gumbel-softmax",
    formula=Formula(
        "softmax((x + g)/temperature), g from the Gumbel distribution",
        r"\mathrm{softmax}\left(\frac{x + g}{\mathrm{temperature}}\right)",
    ),
    family="grouping",
    year=2016,
    source="Jang, Gu and Poole, 2016, arXiv:1611.01144; as concrete Maddison and others, 2016, arXiv:1611.00712",
    value_rule=_gumbel_softmax,
    derivative_rule=_gumbel_softmax_push,
    aliases=("concrete",),
    parameters=(Parameter("temperature", 1.0, low=1e-30, high=1e30),),
    kind="grouping",
    noise="gumbel",
    notes="Without a key, outside training, it is softmax(x/temperature). A hard sample that trains by the soft one's "
    "derivative is not offered.",
)

maxout = Activation(
    name="maxout",
    title="Maxout",
    formula=Formula("max of each run of `pieces` consecutive units", r"\max_{j} x_{i k + j},\ 0 \le j < k"),
    family="grouping",
    year=2013,
    source="Goodfellow, Warde-Farley, Mirza, Courville and Bengio, 2013, arXiv:1302.4389",
    value_rule=_maxout,
    derivative_rule=_maxout_push,
    parameters=(Parameter("pieces", 2, low=1, integer=True),),
    kind="grouping",
    inputs_per_unit_rule=lambda pieces: pieces,
    notes="The width shrinks by `pieces`. Of equal units the first passes the gradient.",
)

crelu = Activation(
    name="crelu",
    title="Concatenated ReLU",
    formula=Formula("max(x, 0) of all units, then max(-x, 0) of all", r"(\max(x, 0), \max(-x, 0))"),
    family="grouping",
    year=2016,
    source="Shang, Sohn, Almeida and Lee, 2016, arXiv:1603.05201",
    value_rule=_crelu,
    derivative_rule=_crelu_push,
    aliases=("concatenated_relu",),
    kind="grouping",
    inputs_per_unit_rule=lambda: 0.5,
    notes="The width doubles. At 0 the derivative is that of the piece on the left: 0 in the first half, -1 in the "
    "second. The clipped ReLU min(max(x, 0), c) is called CReLU too.",
)

maxmin = Activation(
    name="maxmin",
    title="MaxMin",
    formula=Formula(
        "each pair of consecutive units (a, b) becomes (max(a, b), min(a, b))", r"(\max(a, b), \min(a, b))"
    ),
    family="grouping",
    year=2016,
    source="As OPLU Chernodub and Nowicki, 2016, arXiv:1604.02313; Anil, Lucas and Grosse, 2018, arXiv:1811.05381",
    value_rule=_maxmin,
    derivative_rule=_maxmin_push,
    aliases=("oplu",),
    kind="grouping",
    notes="The larger one comes first, as in OPLU; GroupSort with groups of 2 is the same in ascending order. Needs an "
    "even number of units. Equal units pass their own gradient.",
)

kwta = Activation(
    name="kwta",
    title="k-winners-take-all",
    formula=Formula(
        "x for the k largest units, k = floor(share*units), else 0",
        r"\begin{cases} x_i & x_i \ge x_{(k)} \\ 0 & x_i < x_{(k)} \end{cases}",
    ),
    family="grouping",
    year=2019,
    source="Xiao, Zhong and Zheng, 2019, arXiv:1905.10510",
    value_rule=_kwta,
    derivative_rule=_kwta_push,
    aliases=("k_winners_take_all",),
    parameters=(Parameter("share", 0.2, low=0.0, high=1.0),),
    kind="grouping",
    notes="At least one unit is kept, and all that equal the smallest one kept. It jumps where two units change "
    "places. The groups are the units along the axis; the authors' images have one group each. NaN stays where it is "
    "and takes no place.",
)

FUNCTIONS = (
    softmax,
    log_softmax,
    softmin,
    hardmax,
    sparsemax,
    gumbel_softmax,
    maxout,
    crelu,
    maxmin,
    kwta,
)
