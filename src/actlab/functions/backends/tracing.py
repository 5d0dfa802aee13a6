"""Functions as graphs of operations, read off their rules: what is written for another language starts here.

A rule is carried out once on symbols instead of numbers; what it does to them is the graph.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from actlab.errors import ActlabError, InvalidFunction
from actlab.functions.backends.call import Call
from actlab.functions.definition import Definition

#: Operations of one argument that a rule may use, by NumPy's names.
UNARY = (
    *("exp", "expm1", "log", "log1p", "log2", "log10", "sqrt", "square", "abs", "floor", "ceil", "sign"),
    *("sin", "cos", "tan", "sinh", "cosh", "tanh", "arcsin", "arccos", "arctan", "arcsinh", "arccosh", "arctanh"),
    *("isnan", "isinf", "isfinite"),
)


@dataclass(frozen=True)
class Node:
    """One operation of a graph.

    Attributes:
        operation: its name in NumPy; "input" for what comes from outside.
        operands: symbols, numbers and truth values; of an input its name, and its unit where the function mixes units.
    """

    operation: str
    operands: tuple[Any, ...]


@dataclass(frozen=True)
class Symbol:
    """A number or truth value that is not known yet: the result of a node."""

    place: int
    tape: _Tape = field(repr=False, compare=False)


@dataclass(frozen=True)
class Graph:
    """A function as operations one after another.

    Attributes:
        inputs: their names in their order; of a function "x", and its trainable parameters.
        nodes: every one after those that it needs; what was computed once is not computed again.
        outputs: a symbol or number for every element of the result, in its shape.
    """

    inputs: tuple[str, ...]
    nodes: tuple[Node, ...]
    outputs: np.ndarray


class _Tape:
    """The nodes so far."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self._places: dict[tuple[str, ...], int] = {}

    def symbol(self, operation: str, *operands: Any) -> Symbol:
        """The result of an operation."""
        key = (operation, *map(repr, operands))
        if key not in self._places:
            self._places[key] = len(self.nodes)
            self.nodes.append(Node(operation, operands))
        return Symbol(self._places[key], self)


def trace(definition: Definition, which: str = "value", units: int = 1) -> Graph:
    """Read the graph off a rule; parameters that are not trainable have their defaults, and nothing is drawn.

    Args:
        definition: any function whose rule is made of operations that symbols have.
        which: "value" or "derivative"; that of a grouping function is its Jacobian, (outputs, inputs).
        units: that a grouping function takes at once.

    Raises:
        InvalidFunction: the rule does something else; the sentence says what.

    >>> from actlab.functions import catalogue
    >>> for node in trace(catalogue["prelu"], "derivative").nodes:
    ...     print(node)
    Node(operation='input', operands=('x',))
    Node(operation='input', operands=('negative_slope',))
    Node(operation='less_equal', operands=(Symbol(place=0), 0.0))
    Node(operation='where', operands=(Symbol(place=2), Symbol(place=1), Symbol(place=0)))
    Node(operation='greater', operands=(Symbol(place=0), 0.0))
    Node(operation='where', operands=(Symbol(place=4), 1.0, Symbol(place=3)))
    """
    if definition.stand_ins():
        raise InvalidFunction(f"{definition.name} cannot be traced: it has weights that belong to several units.")
    settings = definition.settings({}) | ({"noise": None} if definition.noise else {})
    call = Call(definition, -1, tuple(settings.items()), ())
    trained = [parameter.name for parameter in definition.parameters if parameter.trainable]
    rule = call.value if which == "value" else call.derivative

    def traced(xp: Any, x: Symbols, *values: Symbols) -> Any:
        return rule(x, xp, settings | dict(zip(trained, values, strict=True)))

    try:
        return trace_rule(traced, dict.fromkeys(("x", *trained), None if call.elementwise else units))
    except (ActlabError, TypeError, AttributeError, ValueError, IndexError) as error:
        raise InvalidFunction(f"{definition.name} cannot be traced: {error}") from None


def trace_rule(rule: Callable[..., Any], inputs: Mapping[str, int | None]) -> Graph:
    """Read the graph off `rule(xp, *inputs)`.

    Args:
        rule: of operations that symbols have; it returns an array or a number.
        inputs: by name, in the order of the rule, how many numbers each is; None for a single one without an axis.

    >>> trace_rule(lambda xp, x: xp.sum(x * x), {"x": 2}).outputs
    array(Symbol(place=4), dtype=object)
    """
    tape = _Tape()

    def symbols(name: str, units: int | None) -> Symbols:
        if units is None:
            return Symbols(np.array(tape.symbol("input", name), dtype=object))
        return Symbols(np.array([tape.symbol("input", name, unit) for unit in range(units)], dtype=object))

    result = rule(_Namespace(), *(symbols(name, units) for name, units in inputs.items()))
    return Graph(tuple(inputs), tuple(tape.nodes), _elements(result))


def _elements(result: Any) -> np.ndarray:
    return result.elements if isinstance(result, Symbols) else np.asarray(result, dtype=object)


def _each(operation: str, *operands: Any) -> Symbols:
    """An operation element by element; among plain numbers it is done at once."""

    def one(*elements: Any) -> Any:
        tape = next((element.tape for element in elements if isinstance(element, Symbol)), None)
        if tape is None:
            return _choose(*elements) if operation == "where" else getattr(np, operation)(*elements)
        return tape.symbol(operation, *map(_plain, elements))

    arrays = [_elements(operand) for operand in operands]
    result = np.frompyfunc(one, len(arrays), 1)(*arrays)
    return Symbols(np.asarray(result, dtype=object))


def _plain(element: Any) -> Any:
    """A number as Python's own, so that equal ones are one."""
    if isinstance(element, Symbol):
        return element
    return bool(element) if isinstance(element, (bool, np.bool_)) else float(element)


def _choose(condition: Any, chosen: Any, other: Any) -> Any:
    return chosen if condition else other


class Symbols:
    """An array of symbols and numbers, as far as rules use arrays."""

    # NumPy's own arrays leave arithmetic with these to them.
    __array_ufunc__ = None
    dtype = np.dtype(np.float64)

    def __init__(self, elements: np.ndarray) -> None:
        self.elements = elements
        self.shape, self.ndim = elements.shape, elements.ndim

    def reshape(self, *shape: int) -> Symbols:
        """The same elements in another shape."""
        return Symbols(self.elements.reshape(shape))

    def __getitem__(self, key: Any) -> Symbols:
        return Symbols(np.asarray(self.elements[key], dtype=object))

    def __bool__(self) -> bool:
        raise InvalidFunction("it branches on its input: use xp.where.")


def _operators(operation: str) -> tuple[Callable[..., Symbols], Callable[..., Symbols]]:
    """An operator of Python, and the one that is asked where what stands before it is no array of symbols."""
    return lambda *operands: _each(operation, *operands), lambda self, other: _each(operation, other, self)


# Python's name of an operator = NumPy's.
_ALONE = (
    "neg=negative abs=abs invert=logical_not lt=less le=less_equal gt=greater ge=greater_equal eq=equal ne=not_equal"
)
_EITHER_WAY = "add=add sub=subtract mul=multiply truediv=divide pow=power and=logical_and or=logical_or"
for _name, _operation in (pair.split("=") for pair in f"{_ALONE} {_EITHER_WAY}".split()):
    _here, _there = _operators(_operation)
    setattr(Symbols, f"__{_name}__", _here)
    if f"{_name}=" in _EITHER_WAY:
        setattr(Symbols, f"__r{_name}__", _there)


def _moved(name: str) -> Callable[..., Symbols]:
    """An operation of NumPy that puts elements into other places."""
    return staticmethod(lambda x, *places: Symbols(getattr(np, name)(_elements(x), *places)))


class _Namespace:
    """NumPy's names for operations on symbols."""

    pi, e, inf, nan = math.pi, math.e, math.inf, math.nan
    float32, float64 = np.float32, np.float64
    finfo = staticmethod(np.finfo)
    where, maximum, minimum, power = (
        staticmethod(functools.partial(_each, name)) for name in ("where", "maximum", "minimum", "power")
    )
    moveaxis, swapaxes, broadcast_to, expand_dims = map(_moved, ("moveaxis", "swapaxes", "broadcast_to", "expand_dims"))
    arange = staticmethod(np.arange)
    full_like = staticmethod(lambda x, value: Symbols(np.full(x.shape, value, dtype=object)))
    zeros_like = staticmethod(lambda x: Symbols(np.zeros(x.shape).astype(object)))
    ones_like = staticmethod(lambda x: Symbols(np.ones(x.shape).astype(object)))
    eye = staticmethod(lambda count, dtype=None: Symbols(np.eye(count).astype(object)))

    def __getattr__(self, name: str) -> Any:
        if name not in UNARY:
            raise InvalidFunction(f"it uses xp.{name}, which symbols do not have.")
        return functools.partial(_each, name)

    def clip(self, x: Any, low: Any = None, high: Any = None) -> Any:
        x = x if low is None else self.maximum(x, low)
        return x if high is None else self.minimum(x, high)

    def asarray(self, x: Any, dtype: Any = None) -> Any:
        return x if isinstance(x, Symbols) else np.asarray(x, dtype)

    def sum(self, x: Symbols, axis: int = -1, keepdims: bool = False) -> Symbols:
        return _folded(functools.partial(_each, "add"), x, axis, keepdims)

    def mean(self, x: Symbols, axis: int = -1, keepdims: bool = False) -> Symbols:
        return _each("divide", self.sum(x, axis, keepdims), float(x.shape[axis]))

    def max(self, x: Symbols, axis: int = -1, keepdims: bool = False) -> Symbols:
        return _folded(self.maximum, x, axis, keepdims)

    def min(self, x: Symbols, axis: int = -1, keepdims: bool = False) -> Symbols:
        return _folded(self.minimum, x, axis, keepdims)

    def argmax(self, x: Symbols, axis: int = -1) -> Symbols:
        largest, *others = _slices(x, axis)
        place = self.zeros_like(largest)
        for number, own in enumerate(others, start=1):
            place = self.where(_each("greater", own, largest), float(number), place)
            largest = self.maximum(own, largest)
        return place

    def cumsum(self, x: Symbols, axis: int = -1) -> Symbols:
        return self.stack(list(itertools.accumulate(_slices(x, axis), functools.partial(_each, "add"))), axis)

    def sort(self, x: Symbols, axis: int = -1) -> Symbols:
        units = _slices(x, axis)
        for number in range(len(units)):
            for i in range(number % 2, len(units) - 1, 2):
                units[i : i + 2] = self.minimum(units[i], units[i + 1]), self.maximum(units[i], units[i + 1])
        return self.stack(units, axis)

    def concatenate(self, arrays: Sequence[Symbols], axis: int = 0) -> Symbols:
        return Symbols(np.concatenate([array.elements for array in arrays], axis=axis))

    def stack(self, arrays: Sequence[Symbols], axis: int = 0) -> Symbols:
        return Symbols(np.stack([array.elements for array in arrays], axis=axis))


def _slices(x: Symbols, axis: int) -> list[Symbols]:
    return [Symbols(np.asarray(np.take(x.elements, i, axis), dtype=object)) for i in range(x.shape[axis])]


def _folded(operation: Callable[[Any, Any], Symbols], x: Symbols, axis: int, keepdims: bool) -> Symbols:
    found = functools.reduce(operation, _slices(x, axis))
    return Symbols(np.expand_dims(found.elements, axis)) if keepdims else found
