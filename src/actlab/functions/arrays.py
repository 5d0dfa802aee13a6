"""One namespace over the array libraries, and the numerical pieces that several functions share.

A function of the catalogue is written once, over a namespace `xp` that has NumPy's names: `numpy` or `jax.numpy`
itself, or a small adapter that gives the operations of PyTorch or TensorFlow these names. No framework is imported
here: an array of JAX can only exist once its owner has imported JAX, so it is enough to look into `sys.modules`.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from actlab.errors import InvalidInput

#: Types whose values are computed in float32 and rounded once at the end.
HALF_TYPES = ("float16", "bfloat16")
FLOAT_TYPES = (*HALF_TYPES, "float32", "float64")
_EXPECTED = "{} takes an array of float16, bfloat16, float32 or float64, a number or a list of numbers, all real"

# Below −80, exp(x) is taken as exp(x + 32)·exp(−32): the first factor stays a normal number (XLA flushes the
# others to zero) in products like x·exp(x) that are normal still; both −80 + 32 and the sum 1 + exp(−48) are
# exact.
_FAR, _SHIFT, _UNSHIFT = -80.0, 32.0, math.exp(-32.0)

# PyTorch's ONNX exporter takes an added number of at most 1e−8 for 0, and drops it. Times 2⁵⁰ those here are larger,
# and so are float64's largest rounding errors finite.
_DROPPED, _LIFT = 1.1e-8, 2.0**50

# 2⁴³·e⁻³⁰·Φ(−t)·exp(t²/2)·(t + 3) as a polynomial in (t − 1.5)/(t + 3), highest power first, interpolated in
# 50 digits at Chebyshev nodes: for float32 up to t = 15 (relative error 1.2e−9), for float64 up to t = 40
# (3.2e−17). The argument is that of Shepherd and Laframboise, 1981, doi:10.1090/S0025-5718-1981-0595058-X,
# but centred on t = 1.5: centred on 3, rounding would cost 5 ulp near t = 0. The power of two, which loses nothing,
# keeps every coefficient above `_DROPPED`.
_TAIL_SINGLE = (
    0.0008110956946866539,
    -0.000566194303545257,
    -0.003019212867370255,
    -0.0005873616250058399,
    0.011125749744903093,
    0.010978743619587483,
    -0.05019575354775791,
    -0.05210435477522299,
    0.3921521628697892,
    -0.7424247996602908,
    0.7622061354476355,
)
_TAIL_DOUBLE = (
    -2.9572061562663628e-06,
    1.092850554327939e-05,
    -7.585101894632772e-06,
    -1.1468370086049304e-05,
    7.260077309018223e-06,
    4.295465999895074e-06,
    1.0018960344821965e-05,
    2.009025158543714e-05,
    -8.164712787178917e-06,
    -7.391726014202708e-05,
    -0.00010238279171734085,
    5.318917226328331e-05,
    0.00042097531440478294,
    0.0004910612638658781,
    -0.000743286232962321,
    -0.002825401265532292,
    -0.000572189717643271,
    0.011083022065113588,
    0.010981145632629937,
    -0.05019182749008767,
    -0.05210471100311802,
    0.39215203286781364,
    -0.742424790719138,
    0.7622061361709905,
)
_TAIL_SCALE = 2.0**-43
_DENSITY_SHIFT = 30.0

# (tanh(x)/x − 1)/x² as a polynomial in x² for |x| ≤ 5/8 (relative error of tanh 1.7e−8, 4.1e−17), and (eˣ − 1
# − x)/x² as one in x for −0.7 ≤ x ≤ 0 (of eˣ − 1: 9.4e−10, 1.1e−18); interpolated as above.
_TANH_SINGLE = (
    -0.006096714165908197,
    0.020997178999074752,
    -0.05385090957851358,
    0.13332769736976327,
    -0.33333328944134255,
)
_TANH_DOUBLE = (
    -1.724487449484433e-05,
    7.959955735264808e-05,
    -0.00023077616269519857,
    0.0005874372860094381,
    -0.001455309297534642,
    0.0035920589774734554,
    -0.008863229830925709,
    0.021869488260559115,
    -0.05396825396139557,
    0.13333333333326658,
    -0.3333333333333332,
)
_EXPM1_SINGLE = (
    0.00015318509273815314,
    0.0013549320324953542,
    0.008321282588749777,
    0.04166471275924074,
    0.16666655009858,
    0.49999999886795043,
)
_EXPM1_DOUBLE = (
    1.5562991015725103e-09,
    2.4213936178477727e-08,
    2.748060254827596e-07,
    2.755291193085996e-06,
    2.480142376828825e-05,
    0.00019841265932179708,
    0.0013888888830518855,
    0.008333333332824176,
    0.04166666666664386,
    0.16666666666666627,
    0.5,
)

# erf(x)/x as a polynomial in x² for |x| ≤ 7/8; relative errors 2.2e−10 and 5.1e−21.
_ERF_SINGLE = (
    8.674353312085986e-05,
    -0.0008211182734408228,
    0.005206782237302845,
    -0.0268616100082738,
    0.11283733671917695,
    -0.3761263612468304,
    1.1283791668773964,
)
_ERF_DOUBLE = (
    6.614572262600827e-11,
    -1.1706804633115635e-09,
    1.4734279940172703e-08,
    -1.6359895222635417e-07,
    1.6461784600644023e-06,
    -1.4925637767487396e-05,
    0.00012055332652079168,
    -0.0008548327017657817,
    0.005223977625376794,
    -0.026866170645126856,
    0.11283791670955111,
    -0.37612638903183754,
    1.1283791670955126,
)


def is_jax(x: Any) -> bool:
    """Say whether `x` is an array of JAX; its tracers count as arrays.

    >>> is_jax(1.0)
    False
    """
    return _is_a(x, "jax", "Array")


def is_torch(x: Any) -> bool:
    """Say whether `x` is a tensor of PyTorch."""
    return _is_a(x, "torch", "Tensor")


def is_tensorflow(x: Any) -> bool:
    """Say whether `x` is a tensor or variable of TensorFlow."""
    return _is_a(x, "tensorflow", "Tensor") or _is_a(x, "tensorflow", "Variable")


def is_framework(x: Any) -> bool:
    """Say whether `x` belongs to JAX, PyTorch or TensorFlow: its values may be unknown yet, or on a device."""
    return is_jax(x) or is_torch(x) or is_tensorflow(x)


def _is_a(x: Any, module: str, name: str) -> bool:
    kind = getattr(sys.modules.get(module), name, None)
    return kind is not None and isinstance(x, kind)


def type_name(x: Any) -> str:
    """Name of the type of an array's elements, the same in all libraries.

    >>> type_name(np.zeros(2, "float32"))
    'float32'
    """
    return x.dtype.name if hasattr(x.dtype, "name") else str(x.dtype).removeprefix("torch.")


def namespace(*arrays: Any) -> Any:
    """Give the namespace that `arrays` belong to: `jax.numpy` if one of them is JAX's, else `numpy`.

    >>> namespace([1.0, 2.0]).__name__
    'numpy'
    """
    return sys.modules["jax.numpy"] if any(is_jax(x) for x in arrays) else np


def float_array(x: Any, xp: Any, function: str) -> Any:
    """Take an input of a function as an array of float16, bfloat16, float32 or float64, in NumPy or JAX.

    Numbers and lists of them become NumPy's float64, or JAX's default float. `function` is named in the error.

    Raises:
        InvalidInput: `x` is not an array of floating-point numbers, a real number or a list of real numbers.
    """
    if not is_jax(x):
        if isinstance(x, bool) or not isinstance(x, (np.ndarray, np.generic, int, float, list, tuple)):
            raise InvalidInput(f"{_EXPECTED.format(function)}; it was given {type(x).__name__!r}.")
        was_array = isinstance(x, (np.ndarray, np.generic))
        try:
            x = np.asarray(x)
        except (ValueError, TypeError):
            raise InvalidInput(f"{_EXPECTED.format(function)}; the list it was given makes no array.") from None
        if x.dtype.kind in "iu" and not was_array:
            return xp.asarray(x, dtype=np.float64 if xp is np else xp.result_type(float))
    check_type(x, function)
    return xp.asarray(x)


def check_type(x: Any, function: str) -> None:
    """Raise InvalidInput unless the elements of an array are floating-point numbers that functions are exact for."""
    name = type_name(x)
    if name not in FLOAT_TYPES:
        way = "x.real and x.imag apart" if name.startswith("complex") else "x.astype('float32')"
        way = way.replace("astype('float32')", "float()") if is_torch(x) else way
        if is_tensorflow(x):
            is_complex = name.startswith("complex")
            way = "tf.math.real(x) and tf.math.imag(x) apart" if is_complex else "tf.cast(x, 'float32')"
        raise InvalidInput(f"{_EXPECTED.format(function)}; it was given an array of {name}: convert it, {way}.")


def polynomial(x: Any, coefficients: Sequence[float]) -> Any:
    """Evaluate a polynomial by Horner's rule, highest power first.

    Where a coefficient is so small that exporters would drop it, all are taken times a power of two, and the result
    divided by it, which loses nothing.

    >>> polynomial(2.0, (1.0, 0.0, 3.0)), polynomial(2.0, (1.0, 1e-9))
    (7.0, 2.000000001)
    """
    lifted = any(isinstance(c, float) and 0.0 < abs(c) < _DROPPED for c in coefficients[1:])
    if lifted:
        coefficients = [coefficient * _LIFT for coefficient in coefficients]
    result = coefficients[0] * x + coefficients[1]
    for coefficient in coefficients[2:]:
        result = result * x + coefficient
    return result * (1.0 / _LIFT) if lifted else result


def absolute(x: Any, xp: Any) -> Any:
    """|x| whose derivative at 0 is 1, that of the branch x ≥ 0.

    The functions here are even or odd pieces put together at 0; with the library's own |x|, whose derivative
    there is 0, automatic second derivatives would see neither piece.

    >>> absolute(np.array([-2.0, 3.0]), np)
    array([2., 3.])
    """
    return xp.where(x >= 0, x, -x)


def times(parameter: Any, x: Any, xp: Any) -> Any:
    """parameter·x, but 0 where the parameter is 0: at x = ±inf the product itself would be NaN.

    >>> times(0.0, np.array([-np.inf, 2.0]), np), times(0.5, np.array([-np.inf, 2.0]), np)
    (array([0., 0.]), array([-inf,   1.]))
    """
    return parameter * xp.where(both(xp.isinf(x), parameter == 0), 0.0, x)


def both(mask: Any, condition: Any) -> Any:
    """mask & condition, of which either may be a plain truth value, as no saved trace of PyTorch may hold one.

    >>> both(np.array([True, False]), True)
    array([ True, False])
    """
    mask, condition = (condition, mask) if isinstance(mask, bool) else (mask, condition)
    if isinstance(condition, bool) and not isinstance(mask, bool):
        return mask if condition else mask & ~mask
    return mask & condition


def either(mask: Any, condition: Any) -> Any:
    """mask | condition, likewise.

    >>> either(np.array([True, False]), True)
    array([ True,  True])
    """
    mask, condition = (condition, mask) if isinstance(mask, bool) else (mask, condition)
    if isinstance(condition, bool) and not isinstance(mask, bool):
        return mask | ~mask if condition else mask
    return mask | condition


def decay(x: Any, exponent: Any, xp: Any) -> tuple[Any, Any]:
    """exp(exponent), but e³² times as large where x < −80, and the mask of these places.

    The exponent is at most 0, and is x itself where x < 0. `undecay` takes the factor back out of a
    product; in a sum with 1 the term is negligible there either way. Value and derivative of a function call
    this alike, so that a compiler computes one exponential for both.
    """
    far = x < _FAR
    return xp.exp(xp.where(far, x + _SHIFT, exponent)), far


def undecay(product: Any, far: Any, xp: Any) -> Any:
    """Take `decay`'s factor out of a product, as the last step, so that only the result can be subnormal.

    >>> x = np.array([-90.0], dtype="float32")
    >>> exponential, far = decay(x, x, np)
    >>> bool(undecay(100 * exponential, far, np)[0] > 8.19e-38)
    True
    """
    return xp.where(far, product * _UNSHIFT, product)


def tanh(x: Any, xp: Any) -> Any:
    """tanh(x) from an exponential, or a polynomial near 0; XLA's own is 7 ulp off and not monotone near ±1.

    >>> tanh(np.array([-40.0, 0.0, 0.5]), np)
    array([-1.        ,  0.        ,  0.46211716])
    """
    size = absolute(x, xp)
    exponential, _ = decay(-2.0 * size, -2.0 * size, xp)
    far = 1.0 - 2.0 * exponential / (1.0 + exponential)
    square = x * x
    near = x + x * square * polynomial(square, _TANH_SINGLE if is_single(x) else _TANH_DOUBLE)
    return xp.where(size < 0.625, near, xp.where(x >= 0, far, -far))


def exponential_minus_one(x: Any, xp: Any) -> Any:
    """exp(x) − 1 for x ≤ 0, without loss near 0; more accurate and cheaper than XLA's own.

    >>> exponential_minus_one(np.array([-np.inf, -1e-20, 0.0]), np)
    array([-1.e+00, -1.e-20,  0.e+00])
    """
    near = xp.maximum(x, -0.7)
    series = near + near * near * polynomial(near, _EXPM1_SINGLE if is_single(x) else _EXPM1_DOUBLE)
    return xp.where(x > -0.7, series, decay(x, x, xp)[0] - 1.0)


def gompertz(x: Any, xp: Any) -> tuple[Any, Any, Any]:
    """exp(−exp(−x)), but e³² times as large where it is below e⁻⁸⁰; the mask of these places; and exp(−x).

    exp(−x) is taken at 0 beyond where the result has underflowed. An error of 1 ulp in E = exp(−x) would be one of
    E ulp here. So E is built from exp(−x/n) by squaring pairs of numbers, the first of half the digits, whose square
    is exact.

    >>> gompertz(np.array([-1e300, 0.0, 30.0]), np)[0].round(6)
    array([0.      , 0.367879, 1.      ])
    """
    reach, step, coarser = (4.75, 2.0**11, (1, 1, 2, 4)) if is_single(x) else (6.75, 2.0**25, (1, 1, 1, 1, 1, 2, 2, 4))
    v = xp.where(x >= 0, 0.0, -xp.maximum(x, -reach)) / 2.0 ** (len(coarser) + 1)
    h = xp.floor(v * 2.0 * step) / (2.0 * step)
    tail = v * v * v * polynomial(v, [1.0 / math.factorial(k) for k in range(9, 2, -1)])
    high = xp.floor((1.0 + v + 0.5 * v * v + tail) * step) / step
    low = (((1.0 - high) + v) + 0.5 * h * h) + (0.5 * (v + h) * (v - h) + tail)
    for ratio in coarser:  # the larger the number, the more coarsely it is split, for its square to be exact
        square, low = high * high, (2.0 * high + low) * low
        step = step / ratio
        high = xp.floor((square + low) * step) / step
        low = (square - high) + low
    high, low = high * high, (2.0 * high + low) * low
    high = xp.where(x >= 0, xp.exp(-xp.maximum(x, 0.0)), high)
    low = xp.where(x >= 0, 0.0, low)
    far = high > -_FAR
    correction = polynomial(-low, [1.0 / math.factorial(k) for k in range(5, -1, -1)])
    result = xp.exp(xp.where(far, _SHIFT - high, -high)) * correction
    return xp.where(x <= -reach, 0.0, result), far, high + low


def normal_density(t: Any, xp: Any) -> Any:
    """e³⁰·exp(−t²/2) for 0 ≤ t ≤ 15 in float32, 0 ≤ t ≤ 40 in float64; accurate to about 2 ulp.

    t is split into h, whose square is exact and so is 30 − h²/2, and a rest that is small enough for a short
    polynomial: rounding t² would cost the tail t²/2 ulp. The factor e³⁰ keeps the exponential normal while
        what
    it is multiplied with makes a normal number; `normal_tail` and `DENSITY_AT_ZERO` carry e⁻³⁰.
    """
    step, terms = (256.0, 5) if is_single(t) else (2.0**20, 4)
    h = xp.floor(t * step) / step
    rest = -0.5 * (t - h) * (t + h)
    series = polynomial(rest, tuple(1.0 / math.factorial(k) for k in reversed(range(terms))))
    return xp.exp(_DENSITY_SHIFT - 0.5 * h * h) * series


#: Density of the unit normal at 0, 1/√(2π), times e⁻³⁰.
DENSITY_AT_ZERO = math.exp(-_DENSITY_SHIFT) / math.sqrt(2 * math.pi)


def normal_tail(t: Any, xp: Any) -> Any:
    """Φ(−t)·exp(t²/2)·e⁻³⁰, Φ the distribution function of the unit normal; t as in `normal_density`.

    Times `normal_density` it is Φ(−t) without underflow in between.

    >>> t = np.array([0.0, 1.0])
    >>> normal_tail(t, np) * normal_density(t, np)
    array([0.5       , 0.15865525])
    """
    inverse = 1.0 / (t + 3.0)
    scaled = polynomial((t - 1.5) * inverse, _TAIL_SINGLE if is_single(t) else _TAIL_DOUBLE)
    return scaled * inverse * _TAIL_SCALE


def normal_near(x: Any, xp: Any) -> Any:
    """Φ(x) − ½ for |x| ≤ 1.2, 0 at 0 and without loss beside it; further out that of ±1.2.

    >>> normal_near(np.array([-1e-20, 1.0]), np)
    array([-3.98942280e-21,  3.41344746e-01])
    """
    near = xp.clip(x, -1.2, 1.2)
    square = 0.5 * near * near
    return near * (polynomial(square, _ERF_SINGLE if is_single(x) else _ERF_DOUBLE) * (0.5 / math.sqrt(2.0)))


def erf(x: Any, xp: Any) -> Any:
    """The error function.

    >>> erf(np.array([-9.0, 0.0, 0.5]), np)
    array([-1.        ,  0.        ,  0.52049988])
    """
    size = absolute(xp.clip(x, -9.0, 9.0), xp)
    scaled = math.sqrt(2) * size
    far = 1.0 - 2.0 * normal_density(scaled, xp) * normal_tail(scaled, xp)
    near_x = xp.clip(x, -0.875, 0.875)
    near = near_x * polynomial(near_x * near_x, _ERF_SINGLE if is_single(x) else _ERF_DOUBLE)
    return xp.where(size < 0.875, near, xp.where(x >= 0, far, -far))


def is_single(x: Any) -> bool:
    """Say whether `x` is float32, so that the shorter of two polynomials is enough."""
    return type_name(x) == "float32"


def is_exactly(parameter: Any, number: float) -> bool:
    """Say whether a parameter is a plain number with this value, known before anything is computed.

    >>> is_exactly(1.0, 1), is_exactly(np.ones(3), 1)
    (True, False)
    """
    return isinstance(parameter, (int, float)) and parameter == number


def coarse(number: Any, step: float, xp: Any) -> Any:
    """The multiple of 1/step at or below a plain number or array, so that products of two such are exact.

    >>> coarse(2.7, 4.0, np), coarse(np.array([2.7]), 4.0, np)
    (2.5, array([2.5]))
    """
    return math.floor(number * step) / step if isinstance(number, (int, float)) else xp.floor(number * step) / step


def product(factor: Any, x: Any, xp: Any) -> tuple[Any, Any]:
    """factor·x for both ≥ 0 as a sum of two parts ≥ 0, of which the first is exact as far as that is possible.

    `falling` makes an exponential of it, where rounding factor·x would cost as many ulp as the product is large. A
    plain number is taken in full, and as the fraction it was meant to be: 2/3, or 1.7145.

    >>> first, second = product(1.1, np.array([3.3], dtype="float32"), np)
    >>> round(float(first[0]) + float(second[0]) - 1.1 * float(np.float32(3.3)), 9)
    0.0
    """
    step = 256.0 if is_single(x) else 2.0**20
    x = xp.minimum(x, 1e30)
    above, high = coarse(factor, step, xp), coarse(x, step, xp)
    below = factor - above
    if isinstance(factor, float) and float(Fraction(factor).limit_denominator(10_000)) == factor:
        below = float(Fraction(factor).limit_denominator(10_000) - Fraction(above))
    return above * high, above * (x - high) + below * x


def falling(factor: Any, x: Any, xp: Any) -> tuple[Any, Any]:
    """exp(−factor·x) for both ≥ 0, to an ulp or two, with the factor and the mask of `decay`.

    >>> falling(2.0, np.array([0.0, 1.0]), np)
    (array([1.        , 0.13533528]), array([False, False]))
    """
    first, second = product(factor, x, xp)
    exponential, far = decay(-first, -first, xp)
    # Of two exponentials XLA would make one, of the rounded sum. Times 2⁴⁰ the correction is no subnormal number, which
    # TensorFlow takes as 0.
    exponential = exponential * 2.0**40
    return (exponential + exponential * exponential_minus_one(-second, xp)) * 2.0**-40, far
