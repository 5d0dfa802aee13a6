"""The functions in JavaScript, for pages that compute a network anew: their graphs as straight-line code."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from actlab.functions.backends.tracing import Graph, Symbol, trace
from actlab.functions.definition import Definition

_BINARY = "add subtract multiply divide logical_and logical_or less less_equal greater greater_equal equal not_equal"
_SIGNS = "+ - * / && || < <= > >= === !=="
#: Operations whose name in JavaScript's Math is another, or that are written in another way.
_PATTERNS = {
    **{f"arc{name}": f"Math.a{name}({{}})" for name in ("sin", "cos", "tan", "sinh", "cosh", "tanh")},
    **{operation: f"{{}} {sign} {{}}" for operation, sign in zip(_BINARY.split(), _SIGNS.split(), strict=True)},
    "negative": "-{}",
    "logical_not": "!{}",
    "where": "{} ? {} : {}",
    "maximum": "Math.max({}, {})",
    "minimum": "Math.min({}, {})",
    "power": "Math.pow({}, {})",
    "square": "{0} * {0}",
    "isnan": "{0} !== {0}",
    "isinf": "Math.abs({}) === Infinity",
    "isfinite": "Number.isFinite({})",
}


def javascript(definition: Definition, units: int = 1, which: str = "value") -> str:
    """A function as JavaScript, in double precision.

    An elementwise function is `(x, ...p) => y` of numbers, `p` being its trainable parameters in their order. A
    grouping function is `(x, ...p) => [y, ...]`, `x` and each parameter an array of `units` numbers; its derivative is
    the Jacobian, row by row: `[[y, ...], ...]`. Other parameters have their defaults; what is drawn at random while
    training is not drawn.

    Args:
        definition: any function whose rule is made of operations that JavaScript has.
        units: that a grouping function takes at once.
        which: "value" or "derivative".

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
    return written(trace(definition, which, units))


def written(graph: Graph) -> str:
    """A graph as JavaScript: a function of its inputs, each a number or an array of numbers."""
    arguments = {name: f"p{i - 1}" if i else "x" for i, name in enumerate(graph.inputs)}
    # Expression → the variable that holds it; node → its variable.
    variables: dict[str, str] = {}
    names: list[str] = []

    def code(operand: Any) -> str:
        return names[operand.place] if isinstance(operand, Symbol) else _literal(operand)

    for node in graph.nodes:
        if node.operation == "input" and len(node.operands) == 1:
            names.append(arguments[node.operands[0]])
            continue
        if node.operation == "input":
            expression = f"{arguments[node.operands[0]]}[{node.operands[1]}]"
        else:
            pattern = _PATTERNS.get(node.operation, f"Math.{node.operation}({{}})")
            expression = pattern.format(*map(code, node.operands))
        names.append(variables.setdefault(expression, f"t{len(variables)}"))
    lines = [f"const {name} = {expression};" for expression, name in variables.items()]
    returned = _nested(graph.outputs, code)
    return "\n".join([f"({', '.join(arguments.values())}) => {{", *lines, f"return {returned};", "}"])


def _nested(outputs: np.ndarray, code: Any) -> str:
    if not outputs.ndim:
        return code(outputs[()])
    return f"[{', '.join(_nested(np.asarray(row, dtype=object), code) for row in outputs)}]"


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
