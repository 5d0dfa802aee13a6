"""The functions in JavaScript, for pages that compute a network anew: not written again, but read off the rules.

A rule is carried out once on symbols instead of numbers; what it does to them is written down as straight-line code.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from actlab.errors import ActlabError, InvalidFunction
from actlab.functions.backends.call import rule
from actlab.functions.definition import Definition

#: NumPy's operations of one argument that JavaScript's Math has, by NumPy's names.
_MATH = {
    name: name
    for name in ("exp", "expm1", "log", "log1p", "log2", "log10", "sqrt", "sin", "cos", "tan", "sinh", "cosh", "tanh")
} | {
    "abs": "abs",
    "floor": "floor",
    "ceil": "ceil",
    "sign": "sign",
    "arcsin": "asin",
    "arccos": "acos",
    "arctan": "atan",
    "arcsinh": "asinh",
    "arccosh": "acosh",
    "arctanh": "atanh",
}


class _Tape:
    """The lines written so far; what was computed once is not computed again."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._names: dict[str, str] = {}

    def name(self, code: str) -> str:
        """The variable that holds the value of an expression."""
        if code not in self._names:
            self._names[code] = f"t{len(self._names)}"
            self.lines.append(f"const {self._names[code]} = {code};")
        return self._names[code]


class _Symbol:
    """A number or truth value that is known only in the page: the name of a variable."""

    def __init__(self, code: str, tape: _Tape) -> None:
        self.code, self.tape = code, tape


def _literal(value: Any) -> str:
    """A number or truth value as JavaScript writes it.

    >>> [_literal(value) for value in (np.float64(-0.5), 3, float("inf"), True)]
    ['-0.5', '3.0', 'Infinity', 'true']
    """
    if isinstance(value, (bool, np.bool_)):
        return "true" if value else "false"
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "(-Infinity)"
    return repr(float(value))


def _joined(pattern: str, *operands: Any) -> _Symbol:
    """A symbol for an expression of symbols and plain numbers."""
    tape = next(operand.tape for operand in operands if isinstance(operand, _Symbol))
    codes = (operand.code if isinstance(operand, _Symbol) else _literal(operand) for operand in operands)
    return _Symbol(tape.name(pattern.format(*codes)), tape)


def _each(pattern: str, plain: Callable[..., Any], *operands: Any) -> SymbolArray:
    """An operation element by element; among plain numbers it is done at once."""

    def one(*elements: Any) -> Any:
        known = not any(isinstance(element, _Symbol) for element in elements)
        return plain(*elements) if known else _joined(pattern, *elements)

    arrays = [_elements(operand) for operand in operands]
    result = np.frompyfunc(one, len(arrays), 1)(*arrays)
    return SymbolArray(np.asarray(result, dtype=object))


def _choose(condition: Any, chosen: Any, other: Any) -> Any:
    return chosen if condition else other


class SymbolArray:
    """An array of symbols and numbers, as far as the rules of the functions use arrays."""

    # NumPy's own arrays leave arithmetic with these to them.
    __array_ufunc__ = None
    dtype = np.dtype(np.float64)

    def __init__(self, elements: np.ndarray) -> None:
        self.elements = elements
        self.shape = elements.shape

    def __getitem__(self, key: Any) -> SymbolArray:
        return SymbolArray(np.asarray(self.elements[key], dtype=object))

    def __bool__(self) -> bool:
        raise InvalidFunction("it branches on its input: use xp.where.")

    def __neg__(self) -> SymbolArray:
        return _each("-{}", np.negative, self)

    def __abs__(self) -> SymbolArray:
        return _each("Math.abs({})", np.abs, self)

    def __invert__(self) -> SymbolArray:
        return _each("!{}", np.logical_not, self)

    def __pow__(self, exponent: Any) -> SymbolArray:
        return _each("Math.pow({}, {})", np.power, self, exponent)

    def __rpow__(self, base: Any) -> SymbolArray:
        return _each("Math.pow({}, {})", np.power, base, self)


def _binary(sign: str, plain: Callable[..., Any]) -> tuple[Callable[..., SymbolArray], Callable[..., SymbolArray]]:
    pattern = f"{{}} {sign} {{}}"
    return (
        lambda self, other: _each(pattern, plain, self, other),
        lambda self, other: _each(pattern, plain, other, self),
    )


for _name, _sign, _plain in (
    ("add", "+", np.add),
    ("sub", "-", np.subtract),
    ("mul", "*", np.multiply),
    ("truediv", "/", np.divide),
    ("and", "&&", np.logical_and),
    ("or", "||", np.logical_or),
):
    _here, _there = _binary(_sign, _plain)
    setattr(SymbolArray, f"__{_name}__", _here)
    setattr(SymbolArray, f"__r{_name}__", _there)
for _name, _sign, _plain in (
    ("lt", "<", np.less),
    ("le", "<=", np.less_equal),
    ("gt", ">", np.greater),
    ("ge", ">=", np.greater_equal),
    ("eq", "===", np.equal),
    ("ne", "!==", np.not_equal),
):
    setattr(SymbolArray, f"__{_name}__", _binary(_sign, _plain)[0])


class _Namespace:
    """NumPy's names for what can be written in JavaScript."""

    pi, e, inf, nan = math.pi, math.e, math.inf, math.nan
    float32, float64 = np.float32, np.float64
    finfo = staticmethod(np.finfo)

    def __getattr__(self, name: str) -> Any:
        if name not in _MATH:
            raise InvalidFunction(f"it uses xp.{name}, which has no counterpart in JavaScript.")
        return functools.partial(_each, f"Math.{_MATH[name]}({{}})", getattr(np, name))

    def where(self, condition: Any, chosen: Any, other: Any) -> SymbolArray:
        return _each("{} ? {} : {}", _choose, condition, chosen, other)

    def maximum(self, x: Any, other: Any) -> SymbolArray:
        return _each("Math.max({}, {})", np.maximum, x, other)

    def minimum(self, x: Any, other: Any) -> SymbolArray:
        return _each("Math.min({}, {})", np.minimum, x, other)

    def clip(self, x: Any, low: Any = None, high: Any = None) -> Any:
        x = x if low is None else self.maximum(x, low)
        return x if high is None else self.minimum(x, high)

    def power(self, x: Any, exponent: Any) -> SymbolArray:
        return _each("Math.pow({}, {})", np.power, x, exponent)

    def square(self, x: Any) -> SymbolArray:
        return _each("{0} * {0}", np.square, x)

    def isnan(self, x: Any) -> SymbolArray:
        return _each("{0} !== {0}", np.isnan, x)

    def isinf(self, x: Any) -> SymbolArray:
        return _each("Math.abs({}) === Infinity", np.isinf, x)

    def isfinite(self, x: Any) -> SymbolArray:
        return _each("Number.isFinite({})", np.isfinite, x)

    def asarray(self, x: Any, dtype: Any = None) -> Any:
        return x if isinstance(x, SymbolArray) else np.asarray(x, dtype)

    def zeros_like(self, x: SymbolArray) -> SymbolArray:
        return self.full_like(x, 0.0)

    def ones_like(self, x: SymbolArray) -> SymbolArray:
        return self.full_like(x, 1.0)

    def full_like(self, x: SymbolArray, value: float) -> SymbolArray:
        return SymbolArray(np.full(x.shape, value, dtype=object))

    def sum(self, x: SymbolArray, axis: int = -1, keepdims: bool = False) -> SymbolArray:
        return _folded(_each_of("{} + {}", np.add), x, axis, keepdims)

    def mean(self, x: SymbolArray, axis: int = -1, keepdims: bool = False) -> SymbolArray:
        return _each("{} / {}", np.divide, self.sum(x, axis, keepdims), float(x.shape[axis]))

    def max(self, x: SymbolArray, axis: int = -1, keepdims: bool = False) -> SymbolArray:
        return _folded(self.maximum, x, axis, keepdims)

    def min(self, x: SymbolArray, axis: int = -1, keepdims: bool = False) -> SymbolArray:
        return _folded(self.minimum, x, axis, keepdims)

    def cumsum(self, x: SymbolArray, axis: int = -1) -> SymbolArray:
        return _stacked(list(itertools.accumulate(_slices(x, axis), _each_of("{} + {}", np.add))), axis)

    def sort(self, x: SymbolArray, axis: int = -1) -> SymbolArray:
        """In ascending order, by exchanging neighbours as often as there are units."""
        units = _slices(x, axis)
        for number in range(len(units)):
            for i in range(number % 2, len(units) - 1, 2):
                units[i : i + 2] = self.minimum(units[i], units[i + 1]), self.maximum(units[i], units[i + 1])
        return _stacked(units, axis)

    def concatenate(self, arrays: Sequence[SymbolArray], axis: int = 0) -> SymbolArray:
        return SymbolArray(np.concatenate([array.elements for array in arrays], axis=axis))


def _each_of(pattern: str, plain: Callable[..., Any]) -> Callable[[Any, Any], SymbolArray]:
    return functools.partial(_each, pattern, plain)


def _slices(x: SymbolArray, axis: int) -> list[SymbolArray]:
    return [x[(Ellipsis, i, *(slice(None),) * (-axis - 1))] for i in range(x.shape[axis])]


def _stacked(parts: Sequence[SymbolArray], axis: int) -> SymbolArray:
    return SymbolArray(np.stack([part.elements for part in parts], axis=axis))


def _folded(operation: Callable[[Any, Any], SymbolArray], x: SymbolArray, axis: int, keepdims: bool) -> SymbolArray:
    found = functools.reduce(operation, _slices(x, axis))
    return SymbolArray(np.expand_dims(found.elements, axis)) if keepdims else found


def javascript(activation: Definition, units: int = 1) -> str:
    """The value of a function as JavaScript, in double precision.

    An elementwise function is `(x, ...p) => y` of numbers, `p` being its trainable parameters in their order. A
    grouping function is `(x, ...p) => [y, ...]`, `x` and each parameter an array of `units` numbers. Other parameters
    have their defaults; what is drawn at random while training is not drawn.

    Args:
        activation: any whose rule is made of operations that JavaScript has.
        units: that a grouping function takes at once.

    Raises:
        InvalidFunction: the rule does something else; the sentence says what.

    >>> from actlab.functions import catalogue
    >>> print(javascript(catalogue["prelu"]))
    (x, p0) => {
    const t0 = x > 0.0;
    const t1 = p0 * x;
    const t2 = t0 ? x : t1;
    return t2;
    }
    """
    tape = _Tape()
    grouping = activation.kind == "grouping"

    def symbols(name: str) -> SymbolArray:
        if not grouping:
            return SymbolArray(np.array(_Symbol(name, tape), dtype=object))
        return SymbolArray(np.array([_Symbol(tape.name(f"{name}[{i}]"), tape) for i in range(units)], dtype=object))

    settings = activation.settings({p.name: 0.0 for p in activation.parameters if p.shape})
    trained = [parameter.name for parameter in activation.parameters if parameter.trainable]
    names = [f"p{i}" for i in range(len(trained))]
    settings |= dict(zip(trained, map(symbols, names), strict=True))
    if activation.noise:
        settings["noise"] = None
    try:
        result = rule(activation, "value")(symbols("x"), _Namespace(), -1, settings)
    except (ActlabError, TypeError, AttributeError, ValueError, IndexError) as error:
        raise InvalidFunction(f"{activation.name} cannot be written in JavaScript: {error}") from None
    codes = [e.code if isinstance(e, _Symbol) else _literal(e) for e in np.ravel(_elements(result))]
    returned = f"[{', '.join(codes)}]" if grouping else codes[0]
    return "\n".join([f"({', '.join(['x', *names])}) => {{", *tape.lines, f"return {returned};", "}"])


def _elements(result: Any) -> np.ndarray:
    return result.elements if isinstance(result, SymbolArray) else np.asarray(result, dtype=object)
