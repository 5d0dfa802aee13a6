"""A traced JAX program as a flat list of operations, and the element-wise functions in it.

In a program nothing is called relu: what counts is what is computed. An activation function is a piece of the program
that takes one tensor to another one of its shape, each number by itself and not along a straight line.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import jax
import numpy as np
from jax.extend import core

# Each number by itself.
_ELEMENTWISE = frozenset(
    (
        *("add", "sub", "mul", "div", "neg", "max", "min", "exp", "exp2", "log", "log1p", "expm1", "tanh", "logistic"),
        *("erf", "erfc", "erf_inv", "sin", "cos", "tan", "asin", "acos", "atan", "atan2", "sinh", "cosh", "asinh"),
        *("acosh", "atanh", "abs", "sign", "sqrt", "rsqrt", "cbrt", "pow", "integer_pow", "square", "select_n", "gt"),
        *("ge", "lt", "le", "eq", "ne", "and", "or", "not", "xor", "floor", "ceil", "round", "clamp", "is_finite"),
        *("convert_element_type", "stop_gradient", "copy", "rem", "lgamma", "digamma"),
    )
)
# Linear in the one input that depends on the data, where the others do not.
_AFFINE = frozenset({"add", "sub", "mul", "neg", "convert_element_type", "copy"})
_INLINED = {"jit": "jaxpr", "pjit": "jaxpr", "closed_call": "call_jaxpr", "remat2": "jaxpr", "checkpoint": "jaxpr"}
_LOOPS = frozenset({"scan", "while", "cond"})
# Functions with a slope of their own, which stays theirs.
_OWN_SLOPE = ("custom_jvp", "custom_vjp")
#: Weights and values brought together.
WEIGHTED = frozenset({"dot_general", "conv_general_dilated"})
_LINEAR = frozenset(
    (
        *("reshape", "transpose", "broadcast_in_dim", "squeeze", "expand_dims", "reduce_sum", "slice", "concatenate"),
        *("pad", "rev", "gather", "dynamic_slice", "split", "cumsum", "reduce_window_sum"),
    )
)
#: What changes no value.
SHAPES = frozenset({"reshape", "squeeze", "expand_dims", "copy", "convert_element_type", "transpose", "slice"})
SCOPE = re.compile(r"([\w.]*)@(\d+)")


@dataclass(frozen=True, eq=False)
class Operation:
    """One operation.

    Attributes:
        equation: what JAX knows of it.
        inputs: numbers of values, or constants.
        outputs: numbers of values, which rise along the program.
        scope: path and count of the call of the innermost module around it.
        label: name of the innermost function around it that was compiled or has a slope of its own.
    """

    equation: Any
    inputs: tuple[Any, ...]
    outputs: tuple[int, ...]
    scope: tuple[str, int]
    label: str

    @property
    def name(self) -> str:
        """Of its primitive."""
        return self.equation.primitive.name

    def values(self, known: Mapping[int, Any]) -> list[Any]:
        """Its outputs, from the values that are known."""
        inputs = [known[own] if isinstance(own, int) else own.value for own in self.inputs]
        primitive = self.equation.primitive
        given = primitive.get_bind_params(self.equation.params)
        # Earlier versions of JAX give the functions in it apart.
        functions, settings = given if isinstance(given, tuple) else ((), given)
        found = primitive.bind(*functions, *inputs, **settings)
        return list(found) if primitive.multiple_results else [found]


@dataclass(frozen=True, eq=False)
class Constant:
    """A number or array that stands in the program."""

    value: Any


@dataclass(eq=False)
class Program:
    """A program with numbers for its values.

    Attributes:
        operations: in order.
        inputs, outputs: numbers of values; an output may be a constant.
        shapes: (shape, type) of each value.
    """

    operations: list[Operation] = field(default_factory=list)
    inputs: list[int] = field(default_factory=list)
    outputs: list[Any] = field(default_factory=list)
    shapes: dict[int, tuple[tuple[int, ...], Any]] = field(default_factory=dict)
    constants: dict[int, Any] = field(default_factory=dict)

    def made(self) -> dict[int, Operation]:
        """Number of a value → the operation that gives it."""
        return {own: operation for operation in self.operations for own in operation.outputs}

    def number(self, variable: Any) -> int:
        """A new value."""
        own = len(self.shapes)
        self.shapes[own] = (tuple(variable.aval.shape), variable.aval.dtype)
        return own


def flat_program(graph: Any) -> Program:
    """A closed jaxpr with the compiled functions in it written out."""
    program = Program()
    known: dict[Any, Any] = {}
    for variable, value in zip(graph.jaxpr.constvars, graph.consts, strict=True):
        known[variable] = program.number(variable)
        program.constants[known[variable]] = value
    for variable in graph.jaxpr.invars:
        known[variable] = program.number(variable)
        program.inputs.append(known[variable])
    _write_out(program, graph.jaxpr, known, ("", 0), "")
    program.outputs = [_of(known, variable) for variable in graph.jaxpr.outvars]
    return program


def _of(known: Mapping[Any, Any], variable: Any) -> Any:
    return Constant(variable.val) if isinstance(variable, core.Literal) else known[variable]


def _write_out(program: Program, jaxpr: Any, known: dict[Any, Any], scope: tuple[str, int], label: str) -> None:
    for equation in jaxpr.eqns:
        found = SCOPE.findall(str(equation.source_info.name_stack))
        within = (found[-1][0], int(found[-1][1])) if found else scope
        inputs = tuple(_of(known, variable) for variable in equation.invars)
        name = equation.primitive.name
        inner = equation.params.get(_INLINED.get(name, ""))
        called = str(equation.params.get("name", "")) or label
        if inner is not None:
            body, values = (inner.jaxpr, inner.consts) if hasattr(inner, "consts") else (inner, [])
            own = dict(zip(body.invars, inputs, strict=True))
            own |= {variable: Constant(value) for variable, value in zip(body.constvars, values, strict=True)}
            _write_out(program, body, own, within, called)
            known |= {outer: _of(own, variable) for outer, variable in zip(equation.outvars, body.outvars, strict=True)}
            continue
        outputs = tuple(program.number(variable) for variable in equation.outvars)
        known |= dict(zip(equation.outvars, outputs, strict=True))
        mine = called if name.startswith(_OWN_SLOPE) else label
        program.operations.append(Operation(equation, inputs, outputs, within, mine))


@dataclass(frozen=True, eq=False)
class Region:
    """An element-wise function within a program.

    Attributes:
        start, end: numbers of the values before and behind it.
        operations: in order.
    """

    start: int
    end: int
    operations: tuple[Operation, ...]

    def function(self, known: Mapping[int, Any]) -> Callable[[Any], Any]:
        """As a function of what goes in; everything else has the values that are known."""

        def call(inputs: Any) -> Any:
            own = {**known, self.start: inputs}
            for operation in self.operations:
                own |= dict(zip(operation.outputs, operation.values(own), strict=True))
            return own[self.end]

        return call


class Analysis:
    """What depends on what in a program."""

    def __init__(self, program: Program, signals: Sequence[int]) -> None:
        """`signals` are the inputs that hold data, not parameters."""
        self.program = program
        self.made = program.made()
        self.signal: set[int] = set(signals)
        self._uniform: set[int] = {own for own, value in program.constants.items() if np.ndim(value) == 0}
        self._above: dict[int, list[int]] = {}
        self._straight: dict[int, bool] = {}
        for operation in program.operations:
            self._enter(operation)

    def _enter(self, operation: Operation) -> None:
        numbers = [own for own in operation.inputs if isinstance(own, int)]
        signals = [own for own in numbers if own in self.signal]
        if signals:
            self.signal |= set(operation.outputs)
        elif all(own in self._uniform for own in numbers) and operation.name not in ("iota", "random_bits"):
            alike = all(np.ndim(own.value) == 0 for own in operation.inputs if isinstance(own, Constant))
            self._uniform |= set(operation.outputs) if alike else set()
        (output, *others) = operation.outputs
        if others or not signals or not self._is_elementwise(operation):
            return
        # Whatever all of its inputs come from by themselves, it comes from.
        above = [[own, *self._above.get(own, [])] for own in dict.fromkeys(signals)]
        common = [own for own in above[0] if all(own in one for one in above[1:])]
        same = self.program.shapes[output][0]
        self._above[output] = [own for own in common if self.program.shapes[own][0] == same]

    def _is_elementwise(self, operation: Operation) -> bool:
        if operation.name.startswith(_OWN_SLOPE) and "call_jaxpr" in operation.equation.params:
            program = flat_program(operation.equation.params["call_jaxpr"])
            data = [number for number in program.inputs if program.shapes[number][0]]
            if len(data) != 1 or len(program.outputs) != 1:
                return False
            above = Analysis(program, data)._above
            return any(isinstance(own, int) and data[0] in (own, *above.get(own, [])) for own in program.outputs)
        return operation.name in _ELEMENTWISE

    def is_nonlinear(self, operation: Operation) -> bool:
        """Whether an element-wise operation is no straight line in what depends on the data."""
        signals = [own for own in operation.inputs if isinstance(own, int) and own in self.signal]
        if operation.name == "select_n":
            return operation.inputs[0] in signals
        if operation.name == "div":
            return operation.inputs[1] in signals
        return operation.name not in _AFFINE or (operation.name == "mul" and len(signals) > 1)

    def _is_by_parameter(self, operation: Operation) -> bool:
        """Whether units are shifted or scaled, each by its own number: there a layer ends."""
        others = [own for own in operation.inputs if isinstance(own, int) and own not in self.signal]
        arrays = any(np.ndim(own.value) > 0 for own in operation.inputs if isinstance(own, Constant))
        return arrays or any(own not in self._uniform for own in others)

    def regions(self) -> list[Region]:
        """All element-wise functions that are no straight line, as large as they are, in order."""
        exits = self._exits()
        found = []
        for end in sorted(exits):
            start, nonlinear = end, False
            while above := self._above.get(start):
                before = max(above)
                inside = self._between(before, start)
                bent = any(self.is_nonlinear(own) for own in inside)
                if not bent and any(self._is_by_parameter(own) for own in inside):
                    break
                nonlinear, start = nonlinear or bent, before
                if start in exits and self._is_bent(start):
                    break
            if nonlinear:
                found.append(self.region(start, end))
        return found

    def region(self, start: int, end: int) -> Region:
        """What leads from one value to another."""
        return Region(start, end, tuple(self._between(start, end)))

    def shorter(self, region: Region) -> list[Region]:
        """The same one, then without scaling and shifting behind it, then without that before it, too."""
        way = [region.end]
        while way[-1] != region.start:
            way.append(max(self._above[way[-1]]))
        bent = [any(map(self.is_nonlinear, self._between(below, above))) for above, below in pairwise(way)]
        first, last = bent.index(True), len(bent) - bent[::-1].index(True)
        ends, starts = way[: first + 1], way[last:]
        return [self.region(start, end) for start in reversed(starts) for end in ends]

    def _is_bent(self, end: int) -> bool:
        above = self._above.get(end)
        return bool(above) and any(self.is_nonlinear(own) for own in self._between(max(above), end))

    def _exits(self) -> set[int]:
        """Values that are used otherwise than by each number alone, or after a layer's end."""
        exits = {own for own in self.program.outputs if isinstance(own, int)}
        for operation in self.program.operations:
            for own in operation.inputs:
                if not isinstance(own, int) or own not in self.signal:
                    continue
                goes_on = any(self._above.get(output) for output in operation.outputs)
                straight = goes_on and not self.is_nonlinear(operation) and self._is_by_parameter(operation)
                if not goes_on or straight:
                    exits.add(own)
        return exits

    def _between(self, start: int, end: int) -> list[Operation]:
        """What leads from one value to another, without what does not depend on the data."""
        needed, found = {end}, []
        for operation in reversed(self.program.operations):
            if not needed & set(operation.outputs) or start in operation.outputs:
                continue
            own = {number for number in operation.inputs if isinstance(number, int) and number in self.signal}
            found.append(operation)
            needed |= own - {start}
        return found[::-1]

    def comes_from_a_sum(self, number: int) -> bool:
        """Whether a value is nothing but sums over units or samples, as a variance is."""
        operation = self.made.get(number)
        if operation is None:
            return False
        if operation.name.startswith("reduce_"):
            return True
        if operation.name not in _ELEMENTWISE | {"broadcast_in_dim", "reshape"}:
            return False
        own = [one for one in operation.inputs if isinstance(one, int) and one in self.signal]
        return all(self.comes_from_a_sum(one) for one in own)

    def is_linear(self) -> bool:
        """Whether two layers or more follow each other with nothing but linear operations between them."""
        layers = [own for own in self.program.operations if own.name in WEIGHTED and self._signals(own)]
        if len(layers) < 2:
            return False
        last = layers[-1].outputs[0]
        needed, linear = {last}, True
        for operation in reversed(self.program.operations):
            if needed & set(operation.outputs):
                needed |= set(self._signals(operation))
                linear = linear and (not self._signals(operation) or self._keeps_lines(operation))
        return linear

    def _signals(self, operation: Operation) -> list[int]:
        return [own for own in operation.inputs if isinstance(own, int) and own in self.signal]

    def _keeps_lines(self, operation: Operation) -> bool:
        if operation.name in WEIGHTED:
            return len(self._signals(operation)) == 1
        if operation.name in _LINEAR:
            return True
        return operation.name in _ELEMENTWISE and not self.is_nonlinear(operation)

    def loops(self) -> list[Operation]:
        """Operations that hold a program of their own, which is not looked into."""

        def holds(own: Operation) -> bool:
            closed = own.name.startswith(_OWN_SLOPE) and not self._is_elementwise(own)
            return own.name in _LOOPS or closed

        return [own for own in self.program.operations if holds(own) and self._signals(own)]


def carried_out(program: Program, inputs: Sequence[Any], see: Callable[[int, Any], Any]) -> list[Any]:
    """The outputs of a program; each value goes through `see`, which may give another one in its place."""
    known: dict[int, Any] = dict(program.constants)
    for number, value in zip(program.inputs, inputs, strict=True):
        known[number] = see(number, value)
    for operation in program.operations:
        for number, value in zip(operation.outputs, operation.values(known), strict=True):
            known[number] = see(number, value)
    return [known[own] if isinstance(own, int) else jax.numpy.asarray(own.value) for own in program.outputs]
