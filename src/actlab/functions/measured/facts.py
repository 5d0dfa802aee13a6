"""What is measured about each activation function: nothing here is typed in.

What was found of the catalogue's own functions is kept in `facts.json`, which `benchmarks/relations.py` writes.
Everything is computed in float64 NumPy from value and derivative at the default parameters. Positions are
looked for on a grid that is dense around 0 and reaches ±10⁶; what happens on a scale finer than about 0.004
near 0, or a thousandth of |x| further out, can be missed.
"""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from importlib.resources import files
from typing import Any, Literal

import numpy as np

from actlab.functions.definition import Curve
from actlab.functions.measured import relations
from actlab.functions.registry import catalogue

Array = np.ndarray
#: A mean below this under a unit normal counts as zero.
ZERO_CENTRED_BELOW = 1e-6
#: A side is saturated where the slope is below this share of its supremum.
SATURATED_BELOW = 1e-3

#: To what each fact is known: an absolute error, but relative where it says so in `Facts`.
ACCURACY: Mapping[str, float] = {
    "range": 1e-11,
    "slope_supremum": 1e-11,
    "mean_under_unit_normal": 1e-10,
    "kinks": 1e-9,
    "jumps": 1e-9,
    "flat": 1e-9,
    "saturation": 2e-9,
    "gain": 1e-9,
    "critical": 1e-6,
    "equals": 1e-12,
}

_REACH = 1e6
_GRID = np.sinh(np.linspace(-np.arcsinh(_REACH), np.arcsinh(_REACH), 8001))
# Exponential tails are 0 in float64 from |x| = 38 on at the earliest; that is underflow and not a flat
# region.
_FLAT_REACH = 32.0
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(16)


@dataclass(frozen=True)
class CriticalInitialisation:
    """Where a wide, deep network neither shrinks nor blows up signals and gradients.

    `weight_std` is σ_w (the standard deviation of a weight times the square root of its number of inputs),
    `bias_std` σ_b, and `variance` the fixed point q of the pre-activations' variance: σ_w² E[f'(√q z)²] = 1
    and σ_b² = q − σ_w² E[f(√q z)²] ≥ 0 with z a unit normal (Poole and others, 2016, arXiv:1606.05340;
    Schoenholz and others, 2016, arXiv:1611.01232).
    """

    weight_std: float
    bias_std: float
    variance: float


@dataclass(frozen=True)
class Facts:
    """What is measured about one function; None where a fact makes no sense or there is none.

    How exactly each is known stands in `ACCURACY`.

    Attributes:
        name: the function's name in the catalogue.
        range: infimum and supremum of f.
        slope_supremum: supremum of |f'| where f' exists, relative accuracy; inf if f' grows without end.
        lipschitz: the Lipschitz constant: the same, or inf if f jumps.
        monotone: "increasing" or "decreasing" (not always strictly), None if neither; over the grid.
        mean_under_unit_normal: E f(z), z a unit normal.
        zero_centred: whether that mean is within 1e−6 of 0.
        kinks: where f' jumps by more than a millionth of its supremum, within ±32.
        jumps: where f itself jumps, likewise.
        flat: intervals on which f' is exactly 0; looked for within ±32 and taken to go on beyond.
        saturation: below the first and above the second number |f'| stays under 1e−3 of its supremum; None on a side
            where it never does.
        gain: 1/√E f(z)², the factor that keeps a unit variance, relative accuracy.
        critical: the mean-field critical initialisation of the smallest variance.
        equals: functions of the catalogue that it can be written with, up to parameters, a scaling of input or
            output, or a reflection; confirmed on a grid that reaches ±10⁴. See `relations`. Of a function with other
            parameters, the function that it is of.
    """

    name: str
    range: tuple[float, float] | None = None
    slope_supremum: float | None = None
    lipschitz: float | None = None
    monotone: Literal["increasing", "decreasing"] | None = None
    mean_under_unit_normal: float | None = None
    zero_centred: bool | None = None
    kinks: tuple[float, ...] | None = None
    jumps: tuple[float, ...] | None = None
    flat: tuple[tuple[float, float], ...] | None = None
    saturation: tuple[float | None, float | None] | None = None
    gain: float | None = None
    critical: CriticalInitialisation | None = None
    equals: tuple[str, ...] = ()

    @property
    def smooth(self) -> bool | None:
        """Whether it has neither kinks nor jumps."""
        return None if self.kinks is None else not (self.kinks or self.jumps)

    def to_dict(self) -> dict[str, Any]:
        """Return the facts as a dictionary that JSON can hold; infinities are the texts "inf" and "-inf".

        >>> from actlab.functions import catalogue
        >>> catalogue["relu"].facts().to_dict()["range"]
        [0.0, 'inf']
        """
        return _plain(self)


def from_dict(record: Mapping[str, Any]) -> Facts:
    """The facts of a dictionary, as `Facts.to_dict` gives it.

    >>> from actlab.functions import catalogue
    >>> from_dict(catalogue["relu"].facts().to_dict()) == catalogue["relu"].facts()
    True
    """
    words = ("name", "monotone", "equals")
    found: dict[str, Any] = {key: value if key in words else _exact(value) for key, value in record.items()}
    found["critical"] = record["critical"] and CriticalInitialisation(**record["critical"])
    found["equals"] = tuple(record.get("equals", ()))
    return Facts(**found)


def _exact(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(map(_exact, value))
    return float(value) if isinstance(value, str) else value


def _plain(value: Any) -> Any:
    if isinstance(value, (Facts, CriticalInitialisation)):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


def facts(activation: Curve) -> Facts:
    """What is measured about a function at its default parameters; kept, so that the second call costs nothing.

    Of the functions that came with the catalogue it was measured before and stands in `facts.json`. Of functions that
    mix units nothing here makes sense but the name; stochastic ones are measured as they are outside training, where
    they draw nothing.

    >>> from actlab.functions import catalogue
    >>> facts(catalogue["tanh"]).slope_supremum
    1.0
    """
    return _facts(activation, tuple(catalogue.values()))


@functools.lru_cache(maxsize=512)
@np.errstate(over="ignore", invalid="ignore")  # A function of one's own may be infinite or no number in places.
def _facts(activation: Curve, others: tuple[Curve, ...]) -> Facts:
    # A function of one's own may bear the name of one that is kept.
    kept = activation.name in known() and activation is catalogue[activation.name]
    found = known()[activation.name] if kept else measure(activation)
    return replace(found, equals=_equals(activation, others) if activation.kind != "grouping" else ())


@functools.cache
def known() -> dict[str, Facts]:
    """What was measured about the functions that came with the catalogue, by name; without `equals`."""
    table = json.loads(files("actlab.functions.measured").joinpath("facts.json").read_text(encoding="utf-8"))
    return {name: from_dict(record) for name, record in table.items()}


@np.errstate(over="ignore", invalid="ignore")
def measure(activation: Curve) -> Facts:
    """Measure a function at its default parameters, but for what it equals."""
    if activation.kind == "grouping":
        return Facts(activation.name)
    slope = slope_supremum(activation)
    jumps = _discontinuities(activation, activation.derivative)
    kinks = tuple(sorted({*_discontinuities(activation.derivative), *jumps}))
    mean = _normal_mean(activation, kinks)
    square = _normal_mean(lambda x: activation(x) ** 2, kinks)
    return Facts(
        name=activation.name,
        range=_range(activation),
        slope_supremum=slope,
        lipschitz=math.inf if jumps else slope,
        monotone=_monotone(activation),
        mean_under_unit_normal=mean,
        zero_centred=abs(mean) < ZERO_CENTRED_BELOW,
        kinks=tuple(kink for kink in kinks if kink not in jumps),
        jumps=jumps,
        flat=_flat(activation),
        saturation=_saturation(activation, slope),
        gain=1 / math.sqrt(square) if square > 0 else None,
        critical=_critical(activation, kinks),
    )


@functools.lru_cache(maxsize=512)
def slope_supremum(activation: Curve) -> float | None:
    """Supremum of |f'| at the default parameters, to about 1e−12; None for functions that mix units.

    >>> from actlab.functions import catalogue
    >>> slope_supremum(catalogue["sigmoid"])
    0.25
    """
    if activation.kind == "grouping":
        return None
    slope = np.abs(activation.derivative(_GRID))
    if max(slope[0], slope[-1]) > 1.01 * _largest(slope[np.abs(_GRID) < 1e3]):
        return math.inf
    # Rounding alone is cut off: the supremum of sigmoid' reads 0.25.
    return float(f"{_climb(lambda x: np.abs(activation.derivative(x)), slope):.13g}")


def _climb(function: Callable[[Array], Array], on_grid: Array) -> float:
    """Maximum of a function from its values on the grid, by looking ever closer around the largest."""
    if np.isnan(on_grid).all():
        return math.nan
    best = int(np.nanargmax(on_grid))
    maximum = float(on_grid[best])
    low, high = _GRID[max(best - 1, 0)], _GRID[min(best + 1, len(_GRID) - 1)]
    for _ in range(8):
        x = np.linspace(low, high, 65)
        y = function(x)
        if np.isnan(y).all():  # At the edge of where it is a number.
            break
        best = int(np.nanargmax(y))
        maximum = max(maximum, float(y[best]))
        low, high = x[max(best - 1, 0)], x[min(best + 1, 64)]
    return maximum


def _largest(values: Array) -> float:
    """The largest of some numbers, NaN if none of them is one."""
    known = values[~np.isnan(values)]
    return float(known.max()) if known.size else math.nan


def _range(activation: Curve) -> tuple[float, float]:
    return -_upper_end(lambda x: -activation(x)), _upper_end(activation)


def _upper_end(function: Callable[[Array], Array]) -> float:
    ends = function(np.array([-np.inf, -1e300, 1e300, np.inf]))
    if _largest(ends) > 1e30:
        return math.inf
    reached = _climb(function, function(_GRID))
    limit = _largest(ends)
    return limit if limit >= reached - 1e-12 else reached


def _monotone(activation: Curve) -> Literal["increasing", "decreasing"] | None:
    y = activation(_GRID)
    y = y[np.isfinite(y)]  # inf − inf tells nothing
    steps = np.diff(y)
    noise = 4 * np.finfo(np.float64).eps * np.abs(y[1:])
    if np.all(steps >= -noise):
        return "increasing"
    return "decreasing" if np.all(steps <= noise) else None


def _discontinuities(
    function: Callable[[Array], Array], slope: Callable[[Array], Array] | None = None
) -> tuple[float, ...]:
    """Positions where `function` jumps: halve every interval towards the larger change; see what is left.

    What the slope at either end explains, where it is known, is no jump: it would lead astray from a small one.
    """

    def unexplained(low: Array, high: Array, at_low: Array, at_high: Array) -> Array:
        change = at_high - at_low
        if slope is None:
            return np.abs(change)
        return np.maximum(*(np.abs(change - (high - low) * slope(end)) for end in (low, high)))

    edges = np.linspace(-_FLAT_REACH, _FLAT_REACH, 2049) - 1 / 97
    low, high = edges[:-1], edges[1:]
    at_low, at_high = function(low), function(high)
    threshold = 1e-6 * _largest(np.abs([at_low, at_high]))
    for _ in range(45):
        keep = unexplained(low, high, at_low, at_high) > threshold
        low, high, at_low, at_high = low[keep], high[keep], at_low[keep], at_high[keep]
        if not len(low):
            return ()
        middle = (low + high) / 2
        at_middle = function(middle)
        left = unexplained(low, middle, at_low, at_middle) >= unexplained(middle, high, at_middle, at_high)
        low, high = np.where(left, low, middle), np.where(left, middle, high)
        at_low, at_high = np.where(left, at_low, at_middle), np.where(left, at_middle, at_high)
    keep = np.abs(at_high - at_low) > threshold
    return tuple(sorted({_position(x) for x in high[keep]}))


def _position(x: float) -> float:
    return round(float(x), 9) + 0.0  # + 0.0 makes 0.0 of −0.0


def _flat(activation: Curve) -> tuple[tuple[float, float], ...]:
    x = np.linspace(-_FLAT_REACH, _FLAT_REACH, 4097) - 1 / 97
    zero = activation.derivative(x) == 0
    regions = []
    edges = np.flatnonzero(np.diff(np.concatenate([[0], zero.astype(int), [0]])))
    for first, after in edges.reshape(-1, 2):
        # A single point may be a root or the left side of a kink; a region holds several.
        if after - first < 3:
            continue
        low = -math.inf if first == 0 else _edge(activation, float(x[first - 1]), float(x[first]), flat_after=True)
        high = (
            math.inf if after == len(x) else _edge(activation, float(x[after - 1]), float(x[after]), flat_after=False)
        )
        regions.append((low, high))
    return tuple(regions)


def _edge(activation: Curve, low: float, high: float, flat_after: bool) -> float:
    return _bisect(lambda x: (activation.derivative(x) == 0) == flat_after, low, high)


def _bisect(is_after: Callable[[float], bool], low: float, high: float) -> float:
    """Position between `low` and `high` where `is_after` turns true."""
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (low, middle) if is_after(middle) else (middle, high)
    return _position((low + high) / 2)


def _saturation(activation: Curve, slope: float | None) -> tuple[float | None, float | None]:
    if not slope or math.isinf(slope):
        return None, None
    steep = np.flatnonzero(np.abs(activation.derivative(_GRID)) >= SATURATED_BELOW * slope)
    if not len(steep):  # It is steep between two points of the grid, as arcsin at its ends, or is no number at all.
        return None, None
    first, last = int(steep[0]), int(steep[-1])

    def is_steep(x: float) -> bool:
        return abs(activation.derivative(x)) >= SATURATED_BELOW * slope

    left = None if first == 0 else _bisect(is_steep, _GRID[first - 1], _GRID[first])
    beyond = last + 1
    right = None if beyond == len(_GRID) else _bisect(lambda x: not is_steep(x), _GRID[last], _GRID[beyond])
    return left, right


def _normal_mean(function: Callable[[Array], Array], kinks: tuple[float, ...], std: float = 1.0) -> float:
    """E function(std·z), z a unit normal, by Gauss's rule of 16 points between edges; kinks are edges."""
    near = np.linspace(-40.0, 40.0, 81)
    edges = np.concatenate([np.linspace(-12.0, 12.0, 49) * std, near, kinks])
    edges = np.unique(edges[np.abs(edges) <= 12.0 * std])
    half = np.diff(edges)[:, None] / 2
    x = (edges[:-1, None] + half * (1 + _NODES)).ravel()
    weights = (half * _WEIGHTS).ravel() * np.exp(-0.5 * (x / std) ** 2) / (std * math.sqrt(2 * math.pi))
    return float(np.sum(weights * function(x)))


def _critical(activation: Curve, kinks: tuple[float, ...]) -> CriticalInitialisation | None:
    if activation(0.0) == 0:
        # As q → 0 only the slopes on both sides of 0 count, and σ_b is 0. Slopes that vanish there with x let σ_w grow
        # without end.
        square = float(np.mean(activation.derivative(np.array([-1e-30, 1e-30])) ** 2))
        return CriticalInitialisation(1 / math.sqrt(square), 0.0, 0.0) if square > 1e-30 else None

    def weight_and_bias(std: float) -> tuple[float, float]:
        slope = _normal_mean(lambda x: activation.derivative(x) ** 2, kinks, std)
        weight = 1 / slope if slope > 0 else math.inf
        return weight, std**2 - weight * _normal_mean(lambda x: activation(x) ** 2, kinks, std)

    stds = np.logspace(-3, 3, 61)
    first = next((k for k, std in enumerate(stds) if weight_and_bias(std)[1] >= 0), None)
    if first is None:
        return None
    low, high = (stds[first - 1] if first else stds[0]), stds[first]
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (low, middle) if weight_and_bias(middle)[1] >= 0 else (middle, high)
    # σ_b² rises through 0 here, so it is 0.
    return CriticalInitialisation(math.sqrt(weight_and_bias(high)[0]), 0.0, float(high**2))


def _equals(activation: Curve, others: tuple[Curve, ...]) -> tuple[str, ...]:
    """Relations to the others: looked up for the functions that came with the catalogue, searched for one's own.

    A variant is the function that it is of, at its parameters; more is not searched for: it takes seconds each.
    """
    if activation.variant_of is not None:
        whole = {p.name: p.default for p in activation.variant_of.parameters}
        own = tuple((p.name, p.default) for p in activation.parameters if p.default not in (None, whole[p.name]))
        return (str(relations.Relation(activation.variant_of.name, own)),)
    kept = relations.known()
    own = [other for other in others if other.name not in kept]
    found = kept.get(activation.name)
    fresh = relations.related(activation, others if found is None else own)
    return tuple(map(str, (*(found or ()), *fresh)))
