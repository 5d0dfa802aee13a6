"""Measure values and derivatives against mpmath: in which library, type and place a function is how far off.

python -m tests.accuracy mish gelu        prints a line for each library, type and quantity
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from mpmath import mpf
from tests.references import REFERENCES

from actlab.functions import catalogue

Array = np.ndarray
SAMPLES = 4096
FLOATS = (np.float32, np.float64)
WHICH = ("value", "derivative")
# Where pieces of the implementations meet, besides the functions' own kinks.
_SEAMS = (0.5, 0.625, 0.7, 1.0, 2.0, 3.0, 80.0)
_BEYOND_FLOATS = mpf(2) ** 1024
_SPECIAL = (-np.inf, np.inf, 0.0, -0.0, np.nan)


@functools.cache
def inputs(name: str, dtype: type, samples: int = SAMPLES) -> Array:
    """Numbers of both signs: half log-spaced from the smallest normal to the largest finite one, half where things
    happen; and ±0, ±inf, NaN, the kinks and their neighbours. No subnormal ones: XLA takes them as 0.
    """
    limits = np.finfo(dtype)
    kinks = np.array([*REFERENCES[name].kinks, *_SEAMS], dtype)
    kinks = np.concatenate([kinks, -kinks])
    beside = [np.nextafter(kinks, dtype(side)) for side in (-np.inf, np.inf)]
    fixed = np.concatenate([kinks, *beside, np.array(_SPECIAL, dtype)])
    count = max(samples - len(fixed), 8) // 4 + 1
    whole = np.exp(np.linspace(np.log(float(limits.tiny)), np.log(float(limits.max)) - 1e-4, count))
    busy = np.exp(np.linspace(np.log(1e-4), np.log(130 if dtype == np.float32 else 800), count))
    x = np.concatenate([whole, busy]).astype(dtype)
    x = np.concatenate([fixed, x, -x])
    return x[~((np.abs(x) < limits.tiny) & (x != 0))][:samples]


def exact(name: str, dtype: type, samples: int = SAMPLES) -> dict[str, tuple[Array, Array]]:
    """Value and derivative at `inputs`, each as a float64 and what is missing from it."""
    return _exact(name, inputs(name, dtype, samples).astype(np.float64).tobytes())


@functools.cache
def _exact(name: str, points: bytes) -> dict[str, tuple[Array, Array]]:
    reference, x = REFERENCES[name], np.frombuffer(points)
    table = np.zeros((len(x), len(WHICH), 2))
    table[np.isnan(x), :, 0] = np.nan
    for i in np.flatnonzero(np.isinf(x)):
        table[i, :, 0] = reference.limits[float(x[i])]
    finite = np.flatnonzero(np.isfinite(x))
    for i, jet in zip(finite, reference.jets(x[finite].tolist()), strict=True):
        table[i] = _split(jet.value), _split(jet.first)
    return {which: (table[:, i, 0], table[:, i, 1]) for i, which in enumerate(WHICH)}


def _split(x: Any) -> tuple[float, float]:
    if abs(x) > _BEYOND_FLOATS:
        return float(np.inf if x > 0 else -np.inf), 0.0
    high = float(x)
    return high, float(x - high)


@dataclass(frozen=True)
class Errors:
    """Errors at every input: in ulp and relative; inf where NaN, overflow or underflow is wrong."""

    x: Array
    ulps: Array
    relative: Array

    @property
    def worst(self) -> tuple[float, float, float, float]:
        """Largest error in ulp and where, largest relative error and where."""
        i, k = int(np.argmax(self.ulps)), int(np.argmax(self.relative))
        return float(self.ulps[i]), float(self.x[i]), float(self.relative[k]), float(self.x[k])


def finfo(dtype: Any) -> Any:
    """Limits of a floating-point type, bfloat16 among them."""
    import ml_dtypes

    return ml_dtypes.finfo(dtype)


def errors(x: Array, computed: Array, high: Array, low: Array) -> Errors:
    """Compare `computed` with high + low: by ulp where that is a normal number, else only that it is about as small."""
    limits = finfo(computed.dtype)
    tiny, largest = float(limits.tiny), float(limits.max)
    size, got = np.abs(high), computed.astype(np.float64)
    with np.errstate(all="ignore"):
        ulp = np.exp2(np.maximum(np.floor(np.log2(size)), np.log2(tiny)) - limits.nmant)
        difference = np.abs((got - high) - low)
        ulps, relative = difference / ulp, difference / size
        small, huge = size < tiny, size > largest
        fine = (small & (np.abs(got) <= 2 * tiny)) | (huge & (np.abs(got) >= largest) & (np.sign(got) == np.sign(high)))
        fine |= (np.isnan(high) & np.isnan(got)) | (got == high)
        hopeless = ~fine & (small | huge | np.isnan(high) | ~np.isfinite(got))
    ulps, relative = (np.where(fine, 0.0, np.where(hopeless, np.inf, e)) for e in (ulps, relative))
    return Errors(x, ulps, relative)


def evaluate(name: str, which: str, x: Array, library: str) -> Array:
    """f or f' in a library: numpy, jax (compiled), torch, tensorflow."""
    function: Callable[..., Any] = catalogue[name] if which == "value" else catalogue[name].derivative
    if library == "numpy":
        return function(x)
    if library == "jax":
        import jax

        with jax.enable_x64(x.dtype == np.float64):
            return np.asarray(jax.jit(function)(jax.numpy.asarray(x)))
    to, back = transfer(library)
    return back(function(to(x)))


def transfer(library: str) -> tuple[Callable[[Array], Any], Callable[[Any], Array]]:
    """From NumPy to PyTorch or TensorFlow, and back; bfloat16 too."""
    if library == "tensorflow":
        import tensorflow

        return tensorflow.constant, lambda y: y.numpy()
    import ml_dtypes
    import torch

    half = np.dtype(ml_dtypes.bfloat16)

    def to(x: Array) -> Any:
        return (
            torch.from_numpy(x.view(np.int16)).view(torch.bfloat16) if x.dtype == half else torch.from_numpy(x.copy())
        )

    def back(y: Any) -> Array:
        y = y.detach()
        return y.view(torch.int16).numpy().view(half) if y.dtype == torch.bfloat16 else y.numpy()

    return to, back


def measure(name: str, which: str, dtype: type, library: str, samples: int = SAMPLES) -> Errors:
    """Errors of one function over `inputs`."""
    x = inputs(name, dtype, samples)
    high, low = exact(name, dtype, samples)[which]
    return errors(x, evaluate(name, which, x, library), high, low)


SECOND_AT = np.array([-6.3, -2.1, -1.2, -0.75, -0.3, 0.04, 0.9, 2.3, 7.1])


def second_derivatives(name: str, dtype: type, points: Array = SECOND_AT) -> tuple[Array, Array]:
    """f'' at `points`: by JAX's differentiation of the written derivative, and by mpmath."""
    import jax

    with jax.enable_x64(dtype == np.float64):
        second = jax.jit(jax.vmap(jax.grad(jax.grad(catalogue[name]))))
        computed = np.asarray(second(jax.numpy.asarray(points, dtype)))
    rounded = points.astype(dtype)
    return computed, np.array([float(jet.second) for jet in REFERENCES[name].jets(rounded.tolist(), second=True)])


def main(names: list[str]) -> None:
    """Print what is measured; a star marks what is over 4 ulp, two stars what is over the floor."""
    for name in names:
        for dtype in FLOATS:
            for which in WHICH:
                for library in ("numpy", "jax"):
                    ulps, at, relative, relative_at = measure(name, which, dtype, library).worst
                    floor = 1e-5 if dtype == np.float32 else 1e-12
                    mark = "**" if relative > floor else "*" if ulps > 4 else ""
                    print(
                        f"{name:18}{dtype.__name__:9}{which:11}{library:7}"
                        f"{ulps:10.3g} ulp at {at:<14.8g}{relative:10.2e} at {relative_at:<14.8g}{mark}"
                    )
            computed, wanted = second_derivatives(name, dtype)
            wrong = np.max(np.abs(computed - wanted) / (np.abs(wanted) + 1e-3))
            mark = "" if wrong < (2e-4 if dtype == np.float32 else 1e-9) else "**"
            print(f"{name:18}{dtype.__name__:9}second     jax    {wrong:10.2e} relative {mark}")


if __name__ == "__main__":
    main(sys.argv[1:])
