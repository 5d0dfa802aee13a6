"""Initial weights: Glorot, He, LeCun and plain normal, by name.

A name is what a study file holds: `"glorot_uniform"`, `"he_normal"`, `"normal(0.05)"`.

Sources: Glorot & Bengio 2010 (AISTATS), He et al. 2015 (arXiv 1502.01852), LeCun et al. 1998 (Efficient
BackProp).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

from actlab.errors import InvalidNetwork, UnknownName

Array = Any

# Variance of a weight as a function of the number of inputs and outputs of its unit.
VARIANCES: dict[str, Callable[[int, int], float]] = {
    "glorot": lambda fan_in, fan_out: 2 / (fan_in + fan_out),
    "he": lambda fan_in, fan_out: 2 / fan_in,
    "lecun": lambda fan_in, fan_out: 1 / fan_in,
}
NAMES = ("glorot_uniform", "glorot_normal", "he_uniform", "he_normal", "lecun_normal", "normal(STD)")


def check(name: str) -> str:
    """The name itself, if there is such an initialiser.

    >>> check("he_normal"), check("normal(0.05)")
    ('he_normal', 'normal(0.05)')

    Raises:
        UnknownName: a misspelt name. InvalidNetwork: a standard deviation that is not positive.
    """
    match = re.fullmatch(r"normal\(([^()]+)\)", name)
    if match is None:
        if name not in NAMES[:-1]:
            raise UnknownName("initialiser", name, NAMES)
        return name
    try:
        deviation = float(match[1])
    except ValueError:
        deviation = math.nan
    if not 0 < deviation < math.inf:
        raise InvalidNetwork(
            f"initialiser {name!r}: the standard deviation must be a positive number, as in 'normal(0.05)'."
        )
    return name


def standard_deviation(name: str, fan_in: int, fan_out: int) -> float:
    """Standard deviation of the weights that an initialiser draws.

    √(2/(fan_in + fan_out)) for Glorot, √(2/fan_in) for He, √(1/fan_in) for LeCun, the number itself for normal(STD).

    Args:
        name: the initialiser, known to `check`.
        fan_in, fan_out: inputs of a unit, and units that an input reaches; of a convolution times its window.

    >>> round(standard_deviation("he_normal", 8, 4), 3)
    0.5
    """
    if name.startswith("normal("):
        return float(name[len("normal(") : -1])
    return math.sqrt(VARIANCES[name.partition("_")[0]](fan_in, fan_out))


def draw(name: str, key: Array, shape: tuple[int, ...], dtype: Any = None) -> Array:
    """Weights of a layer, drawn in JAX.

    Args:
        name: the initialiser.
        key: a JAX random key.
        shape: (inputs, outputs) of a dense layer, (height, width, channels in, channels out) of a convolution.
        dtype: float type of the result; JAX's default where None.

    Returns:
        an array of that shape: uniform on ±√3 standard deviations, or normal and not truncated.
    """
    import jax

    window = math.prod(shape[:-2])
    deviation = standard_deviation(name, window * shape[-2], window * shape[-1])
    dtype = dtype or jax.numpy.zeros(()).dtype
    if name.endswith("_uniform"):
        # A uniform variable on [-limit, limit] has the standard deviation limit / sqrt(3).
        limit = math.sqrt(3) * deviation
        return jax.random.uniform(key, shape, dtype, -limit, limit)
    return deviation * jax.random.normal(key, shape, dtype)
