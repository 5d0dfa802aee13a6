"""Numerical pieces that several families share, each as accurate as the functions must be."""

from actlab.functions.numerics.coefficients import coefficients
from actlab.functions.numerics.exponentials import (
    BEYOND,
    Scaled,
    decay,
    exponential_minus_one,
    exponential_of_size,
    falling,
    gompertz,
    logistic,
    scaled_exponential,
    tanh,
)
from actlab.functions.numerics.normal import DENSITY_AT_ZERO, erf, normal_density, normal_near, normal_tail
from actlab.functions.numerics.pieces import (
    absolute,
    both,
    by_pieces,
    coarse,
    either,
    finite,
    is_exactly,
    is_single,
    left_part,
    polynomial,
    product,
    times,
    unless_nan,
)
from actlab.functions.numerics.roots import through_roots
from actlab.functions.numerics.units import along, at_even_places, places

__all__ = [
    "BEYOND",
    "DENSITY_AT_ZERO",
    "Scaled",
    "absolute",
    "along",
    "at_even_places",
    "both",
    "by_pieces",
    "coarse",
    "coefficients",
    "decay",
    "either",
    "erf",
    "exponential_minus_one",
    "exponential_of_size",
    "falling",
    "finite",
    "gompertz",
    "is_exactly",
    "is_single",
    "left_part",
    "logistic",
    "normal_density",
    "normal_near",
    "normal_tail",
    "places",
    "polynomial",
    "product",
    "scaled_exponential",
    "tanh",
    "through_roots",
    "times",
    "unless_nan",
]
