"""Statistics for a look from plain arrays, of whatever framework they came from: NumPy alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from actlab.functions import catalogue
from actlab.functions.measured.facts import slope_supremum
from actlab.recording.measures import BINS, BINS_PER_DECADE, DECADES, REACH
from actlab.watching.looks import FunctionLook, WeightLook

# Looked at besides every so manieth step: most of what is wrong is wrong from the start.
FIRST_STEPS = (0, 1, 2, 3, 4, 5, 10, 20, 30)
# A function counts as flat where its slope is below this share of the largest, as in the engine.
FLAT = 1e-3
# Of larger arrays every so manieth sample is looked at: for units that are flat, and, of fewer, for all else; and a
# histogram counts every so manieth value.
MOST_VALUES, MOST_MEASURED, MOST_COUNTED = 2**18, 2**15, 2**11
# Of a larger matrix so many weights are held against what they become.
MOST_WEIGHTS = 2**14
FEWEST_SAMPLES = 8


@dataclass(frozen=True, eq=False)
class Call:
    """What was seen of one call of a function, in NumPy.

    Attributes:
        pre_activation, activation: (samples, …) some samples of what went in and came out.
        slope: (samples, …) of the function at what went in, of more samples perhaps.
        axis: of the units.
        activation_gradient_norm, pre_activation_gradient_norm: over all samples; NaN where there was no gradient.
        activation_gradient: some values of ∂L/∂a; empty likewise.
    """

    pre_activation: np.ndarray
    activation: np.ndarray
    slope: np.ndarray
    axis: int
    activation_gradient_norm: float
    pre_activation_gradient_norm: float
    activation_gradient: np.ndarray


def sample_stride(shape: Sequence[int], most: int) -> int:
    """Every so manieth sample makes some `most` numbers, and eight samples at least.

    >>> sample_stride((1024, 512), MOST_MEASURED), sample_stride((10, 10**6), MOST_MEASURED)
    (16, 1)
    """
    if not shape:
        return 1
    return max(1, min(math.ceil(math.prod(shape) / most), shape[0] // FEWEST_SAMPLES))


def value_stride(shape: Sequence[int], most: int) -> int:
    """Every so manieth value of a flat array makes at most `most`."""
    return max(1, math.ceil(math.prod(shape) / most))


def histogram(values: np.ndarray, *, gradient: bool = False) -> np.ndarray:
    """Counts in the bins of `histogram_edges`, or of sizes in those of `gradient_edges`; NaN is counted nowhere.

    >>> int(histogram(np.array([0.1, -7.0, np.nan])).sum())
    2
    """
    flat = np.asarray(values).reshape(-1)
    own = flat[:: value_stride(flat.shape, MOST_COUNTED)].astype(np.float32)
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        if gradient:
            low, high = DECADES
            places = np.floor(BINS_PER_DECADE * (np.log10(np.abs(own)) - low)) + 1
            bins = BINS_PER_DECADE * (high - low) + 1
        else:
            places = np.floor((np.arcsinh(2 * own) + REACH) * (BINS / (2 * REACH)))
            bins = BINS
        known = np.clip(places[~np.isnan(places)], 0, bins - 1).astype(np.int64)
    return np.bincount(known, minlength=bins)


@cache
def supremum(name: str) -> float | None:
    """Of |f'| of a function of the catalogue; None where that is not known, or infinite."""
    if name not in catalogue:
        return None
    found = slope_supremum(catalogue[name])
    return found if found is not None and math.isfinite(found) else None


def function_look(name: str, function: str, calls: Sequence[Call]) -> FunctionLook:
    """All calls of a function in its place together, at least one."""
    parts = [_reduced(call, function) for call in calls]
    samples = np.array([len(call.slope) for call in calls], float)
    share = samples / samples.sum()
    mean = {key: float(np.dot(share, [part[key] for part, _ in parts])) for key in parts[0][0]}
    alike = {dead.shape for _, dead in parts}
    dead = np.all([dead for _, dead in parts], axis=0) if len(alike) == 1 else parts[-1][1]
    return FunctionLook(
        name=name,
        function=function,
        calls=len(calls),
        samples=int(samples.sum()),
        **mean,
        dead=dead,
        pre_activation_histogram=np.sum([histogram(call.pre_activation) for call in calls], axis=0),
        activation_histogram=np.sum([histogram(call.activation) for call in calls], axis=0),
        activation_gradient_norm=_together([call.activation_gradient_norm for call in calls]),
        pre_activation_gradient_norm=_together([call.pre_activation_gradient_norm for call in calls]),
        activation_gradient_histogram=np.sum([histogram(call.activation_gradient, gradient=True) for call in calls], 0)
        if all(call.activation_gradient.size for call in calls)
        else np.zeros(0, np.int64),
    )


def _reduced(call: Call, function: str) -> tuple[dict[str, float], np.ndarray]:
    """The numbers of a call, and which units are dead."""
    z, a = call.pre_activation.astype(np.float64), call.activation.astype(np.float64)
    slope = np.abs(call.slope)
    flat = slope <= FLAT * (supremum(function) or float(slope.max(initial=0.0)))
    axis = call.axis % flat.ndim
    with np.errstate(over="ignore", invalid="ignore"):
        square = float(np.mean(a**2))
        within = float(np.mean(np.var(a, axis=0)))
        numbers = {
            "pre_activation_mean": float(z.mean()),
            "pre_activation_std": float(z.std()),
            "activation_mean": float(a.mean()),
            "activation_std": float(a.std()),
            "rms": math.sqrt(square),
            "signal": (math.sqrt(within / square) if square else 0.0) if len(a) > 1 else math.nan,
            "flat": float(flat.mean()),
        }
    return numbers, np.all(flat, axis=tuple(place for place in range(flat.ndim) if place != axis), keepdims=False)


def _together(norms: Sequence[float]) -> float:
    return math.sqrt(sum(norm**2 for norm in norms))


@dataclass(frozen=True, eq=False)
class WeightBefore:
    """A matrix of weights before a step.

    Attributes:
        name: of the parameter.
        sample: some weights, flat.
        norm: ‖W‖₂.
        gradient_norm, zero_share: of the whole gradient; NaN where there is none.
        gradient: some values of it; empty likewise.
    """

    name: str
    sample: np.ndarray
    norm: float
    gradient_norm: float
    zero_share: float
    gradient: np.ndarray

    def look(self, after: np.ndarray | None) -> WeightLook:
        """What became of it; the same weights after the step, None where that step alone was not seen."""
        ratio = math.nan if after is None else update_ratio(self.sample, after)
        counts = histogram(self.gradient, gradient=True) if self.gradient.size else np.zeros(0, np.int64)
        return WeightLook(self.name, self.norm, self.gradient_norm, ratio, self.zero_share, counts)


def update_ratio(before: np.ndarray, after: np.ndarray) -> float:
    """‖ΔW‖₂ / ‖W‖₂; infinite where all weights were 0 and some moved.

    >>> update_ratio(np.array([3.0, 4.0]), np.array([3.0, 4.5]))
    0.1
    """
    whole = float(np.linalg.norm(before.astype(np.float64)))
    moved = float(np.linalg.norm(after.astype(np.float64) - before.astype(np.float64)))
    return moved / whole if whole else (math.inf if moved else 0.0)


def is_matrix(name: str, shape: Sequence[int]) -> bool:
    """Whether a parameter of this name is one of weights: attention has a bias for each head and feature.

    >>> is_matrix("attention.key.kernel", (8, 2, 4)), is_matrix("attention.key.bias", (2, 4))
    (True, False)
    """
    return len(shape) > 1 and name.rpartition(".")[2] not in ("bias", "beta", "gamma", "scale")


def alike_at_start(name: str, values: np.ndarray, units: int = -1) -> str:
    """Whether all weights are "zero", or those of all units "alike", or neither: "".

    A number for each unit is a factor, as of a scaled residual, and no matrix.

    >>> alike_at_start("fc", np.ones((3, 4))), alike_at_start("fc", np.zeros((3, 4))), alike_at_start("fc", np.eye(3))
    ('alike', 'zero', '')
    """
    width = values.shape[units]
    if values.ndim < 2 or values.size == width:
        return ""
    if not values.any():
        return "zero"
    own = np.moveaxis(values, units, 0)
    return "alike" if width > 1 and bool((own == own[:1]).all()) else ""
