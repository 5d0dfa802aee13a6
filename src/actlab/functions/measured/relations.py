"""Which functions are the same: equal, or equal up to parameters, a scaling of input or output, or a reflection.

Two functions f and g are related here if f(x) = shift + scale·g(stretch·x) for all x at some parameters of g. Nothing
is looked up: stretch and parameters are found by least squares (scale and shift follow from them in closed form), taken
as the round numbers they are next to, and confirmed on a grid that reaches ±10⁴. What was found among the functions of
the catalogue is kept in `relations.json`, which `benchmarks/relations.py` computes; a user's own function is compared
when its facts are asked for.
"""

from __future__ import annotations

import functools
import itertools
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib.resources import files

import numpy as np

from actlab.functions.definition import Curve, Parameter

Array = np.ndarray
_NEAR = np.concatenate([-np.geomspace(8.0, 0.04, 40), np.geomspace(0.03, 7.5, 41)])
_WIDE = np.concatenate([np.geomspace(1e-9, 1.0, 300), np.sinh(np.linspace(1e-3, np.arcsinh(1e4), 1000))])
_FAR = np.concatenate([-_WIDE[::-1], [0.0], _WIDE])
_STRETCHES = np.geomspace(0.05, 20.0, 121)
_LARGEST = 1e4
#: A relation holds if it is met to this, relative to the function (or to 1 where that is smaller).
TOLERANCE = 1e-12


@dataclass(frozen=True)
class Relation:
    """f(x) = shift + scale·function(stretch·x; parameters)."""

    function: str
    parameters: tuple[tuple[str, float], ...] = ()
    scale: float = 1.0
    shift: float = 0.0
    stretch: float = 1.0

    @property
    def exact(self) -> bool:
        """Whether it is the function itself, at some parameters, with neither scaling nor reflection."""
        return (self.scale, self.shift, self.stretch) == (1, 0, 1)

    def __str__(self) -> str:
        """The relation as a formula.

        >>> str(Relation("sigmoid", scale=2.0, shift=-1.0, stretch=2.0)), str(Relation("elu", (("alpha", 1.0),)))
        ('2*sigmoid(2*x) - 1', 'elu(x, alpha=1)')
        """
        given = "".join(f", {name}={value:.10g}" for name, value in self.parameters)
        text = f"{_factor(self.scale)}{self.function}({_factor(self.stretch)}x{given})"
        return text + (f" {'-' if self.shift < 0 else '+'} {abs(self.shift):.10g}" if self.shift else "")


def _factor(number: float) -> str:
    return {1.0: "", -1.0: "-"}.get(number, f"{number:.10g}*")


@functools.cache
def known() -> dict[str, tuple[Relation, ...]]:
    """The relations of the functions that came with the catalogue, by name.

    >>> [str(relation) for relation in known()["tanh"] if relation.function == "sigmoid"]
    ['2*sigmoid(2*x) - 1']
    """
    table = json.loads(files("actlab.functions.measured").joinpath("relations.json").read_text(encoding="utf-8"))
    return {name: tuple(_from_json(entry) for entry in entries) for name, entries in table.items()}


def _from_json(entry: Mapping[str, object]) -> Relation:
    parameters = tuple((name, value) for name, value in entry["parameters"].items())  # type: ignore[attr-defined]
    return Relation(**{**entry, "parameters": parameters})  # type: ignore[arg-type]


def to_json(relation: Relation) -> dict[str, object]:
    """The relation as `relations.json` holds it."""
    return {**vars(relation), "parameters": dict(relation.parameters)}


def related(activation: Curve, others: Iterable[Curve]) -> tuple[Relation, ...]:
    """Every one of `others` that `activation` can be written with, in the simplest way.

    >>> from actlab.functions import catalogue
    >>> [str(relation) for relation in related(catalogue["tanh"], [catalogue["sigmoid"], catalogue["gelu"]])]
    ['2*sigmoid(2*x) - 1']
    """
    found = (relation(activation, other) for other in others if other.name != activation.name)
    return tuple(one for one in found if one is not None)


def relation(activation: Curve, other: Curve) -> Relation | None:
    """How `activation` at its default parameters can be written with `other`, or None."""
    if activation.kind == "grouping" or other.kind == "grouping" or any(p.integer for p in other.parameters):
        return None
    wanted = _values(activation, _NEAR, {})
    # The equal function first, then its parameters, then scalings, so that the simplest is found.
    if _agree(activation, candidate := Relation(other.name), other):
        return candidate
    free = [p for p in other.parameters if p.default is not None]
    if free:
        settings = _fit_parameters(wanted, other, free)
        if settings and _agree(activation, candidate := Relation(other.name, settings), other):
            return candidate
    for candidate in _scalings(wanted, other, free):
        if _agree(activation, candidate, other):
            return candidate
    return None


def _values(activation: Curve, x: Array, given: Mapping[str, float]) -> Array:
    settings = {
        p.name: np.float64(given.get(p.name, p.default)) for p in activation.parameters if p.default is not None
    }
    noise = {"noise": None} if activation.noise else {}
    with np.errstate(all="ignore"):
        try:
            return np.asarray(activation.value_rule(x, np, **settings, **noise), np.float64)
        except ArithmeticError:  # parameters at the edge of what the function is defined for
            return np.full_like(x, np.nan)


def _agree(activation: Curve, candidate: Relation, other: Curve) -> bool:
    """Whether the relation holds on the wide grid, its parameters within their ranges."""
    for parameter in other.parameters:
        value = dict(candidate.parameters).get(parameter.name, parameter.default)
        if value is None or not parameter.low <= value <= parameter.high:
            return False
    if other.constraint and candidate.parameters and other.constraint(**dict(candidate.parameters)):
        return False
    wanted = _values(activation, _FAR, {})
    with np.errstate(all="ignore"):
        reached = candidate.shift + candidate.scale * _values(
            other, candidate.stretch * _FAR, dict(candidate.parameters)
        )
        same = np.abs(reached - wanted) <= TOLERANCE * np.maximum(np.abs(wanted), 1.0)
    return bool(np.all(same | (reached == wanted)))


def _fit_parameters(wanted: Array, other: Curve, free: list[Parameter]) -> tuple[tuple[str, float], ...] | None:
    def residual(values: Array) -> Array:
        return _finite(_values(other, _NEAR, _named(free, values)) - wanted)

    return _rounded(free, _least_squares(residual, [_inside(p) for p in free]))


def _scalings(wanted: Array, other: Curve, free: list[Parameter]) -> Iterable[Relation]:
    """Candidates with scale, shift and stretch: at the default parameters, and then with parameters fitted too."""
    for sign in (1.0, -1.0):
        rest = _rest(wanted, _stretched(other, sign))
        best = [int(np.argmin(np.abs(_STRETCHES - 1.0)))]
        best += [i for i in np.argsort(rest)[:2] if i not in best]
        for i in best:
            if rest[i] < 0.2:
                yield from _refined(wanted, other, [], sign, float(np.log(_STRETCHES[i])))
    # Parameters may make a stretch superfluous: without one first. Where they are many they hold all scalings.
    for stretched, sign in itertools.product((False, True), (1.0, -1.0)) if 0 < len(free) <= 3 else ():
        yield from _refined(wanted, other, free, sign, 0.0, stretched=stretched)


def _refined(
    wanted: Array, other: Curve, free: list[Parameter], sign: float, start: float, *, stretched: bool = True
) -> Iterable[Relation]:
    """The relation that least squares lead to from a logarithm of the stretch, if they lead to one."""

    def parts(values: Array) -> tuple[float, Array]:
        return (float(np.exp(np.clip(values[0], -4, 4))), values[1:]) if stretched else (1.0, values)

    def residual(values: Array) -> Array:
        stretch, rest = parts(values)
        return _finite(_unexplained(wanted, _values(other, sign * stretch * _NEAR, _named(free, rest))))

    solution = _least_squares(residual, [*([start] if stretched else []), *(_inside(p) for p in free)])
    if solution is None:
        return
    stretch, rest = parts(solution)
    settings = _rounded(free, rest) or ()
    stretch = sign * _round(stretch)
    scale, shift = _line(wanted, _values(other, stretch * _NEAR, dict(settings)))
    # Ever larger parameters or stretches lead to a limit, which is not the function itself.
    limit = abs(np.log(abs(stretch))) > 3.9 or any(abs(value) > _LARGEST for _, value in settings)
    if np.isfinite(scale) and np.isfinite(shift) and not limit:
        yield Relation(other.name, settings, _round(scale), _round(shift), stretch)


def _least_squares(residual: Callable[[Array], Array], start: list[float]) -> Array | None:
    """The solution where all residuals vanish, or None; what is far from it after a few steps is given up."""
    from scipy.optimize import least_squares

    tight = {"method": "lm", "xtol": 1e-15, "ftol": 1e-15, "gtol": 1e-15}
    first = least_squares(residual, start, **tight, max_nfev=12 * len(start))
    if np.max(np.abs(first.fun)) > 0.03:
        return None
    fitted = least_squares(residual, first.x, **tight, max_nfev=60 * len(start))
    return fitted.x if np.max(np.abs(fitted.fun)) < 1e-6 else None


def _inside(parameter: Parameter) -> float:
    return float(parameter.default or 0.0)


def _named(free: list[Parameter], values: Array) -> dict[str, float]:
    return {p.name: float(np.clip(v, p.low, p.high)) for p, v in zip(free, values, strict=True)}


def _rounded(free: list[Parameter], values: Array | None) -> tuple[tuple[str, float], ...] | None:
    return None if values is None else tuple((name, _round(v)) for name, v in _named(free, values).items())


def _round(value: float) -> float:
    """The round number, simple fraction or root that `value` is next to, else itself."""
    for square, denominator in itertools.product((False, True), range(1, 13)):
        multiple = (value * value if square else value) * denominator
        if abs(multiple - round(multiple)) < 1e-7 * max(abs(multiple), 1.0) and abs(multiple) < 1e4:
            exact = round(multiple) / denominator
            return float(np.copysign(np.sqrt(exact), value)) if square else exact + 0.0
    near = round(value, 6)
    return near if abs(value - near) < 1e-9 else value


def _finite(residual: Array) -> Array:
    return np.clip(np.nan_to_num(residual, nan=1e3, posinf=1e3, neginf=-1e3), -1e3, 1e3)


def _line(wanted: Array, given: Array) -> tuple[float, float]:
    """Scale and shift of the straight line from `given` to `wanted`, by least squares."""
    with np.errstate(all="ignore"):
        centred = given - np.mean(given)
        scale = float(centred @ wanted / (centred @ centred))
        return scale, float(np.mean(wanted) - scale * np.mean(given))


def _unexplained(wanted: Array, given: Array) -> Array:
    """What is left of `wanted` beside the best line through `given`, relative to what there was."""
    scale, shift = _line(wanted, given)
    with np.errstate(all="ignore"):
        return (wanted - shift - scale * given) / max(float(np.std(wanted)), 1e-300)


@functools.lru_cache(maxsize=512)
def _stretched(other: Curve, sign: float) -> Array:
    """The function over the near grid at every stretch: (stretches, points)."""
    return np.array([_values(other, sign * stretch * _NEAR, {}) for stretch in _STRETCHES])


def _rest(wanted: Array, given: Array) -> Array:
    """What is left of `wanted` beside the best line through each row of `given`, relative to what there was."""
    target = wanted - np.mean(wanted)
    with np.errstate(all="ignore"):
        centred = given - np.mean(given, axis=1, keepdims=True)
        explained = (centred @ target) ** 2 / np.sum(centred**2, axis=1)
        share = 1 - explained / max(float(target @ target), 1e-300)
    return np.sqrt(np.maximum(np.nan_to_num(share, nan=1.0, posinf=1.0, neginf=1.0), 0.0))
