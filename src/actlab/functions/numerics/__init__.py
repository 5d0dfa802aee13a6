"""Numerical pieces that several families share, each as accurate as the functions must be."""

from actlab.functions.numerics.exponentials import decay, exponential_minus_one, falling, gompertz, tanh, undecay
from actlab.functions.numerics.normal import DENSITY_AT_ZERO, erf, normal_density, normal_near, normal_tail
from actlab.functions.numerics.pieces import (
    absolute,
    both,
    coarse,
    either,
    is_exactly,
    is_single,
    polynomial,
    product,
    times,
)
from actlab.functions.numerics.roots import through_roots

__all__ = [
    "DENSITY_AT_ZERO",
    "absolute",
    "both",
    "coarse",
    "decay",
    "either",
    "erf",
    "exponential_minus_one",
    "falling",
    "gompertz",
    "is_exactly",
    "is_single",
    "normal_density",
    "normal_near",
    "normal_tail",
    "polynomial",
    "product",
    "tanh",
    "through_roots",
    "times",
    "undecay",
]
