"""The functions in JavaScript, run in Node: the same numbers as in Python, for all that a network can train."""

from __future__ import annotations

import numpy as np
import pytest
from tests.javascript import run

from actlab.errors import InvalidFunction
from actlab.functions import catalogue, register, unregister
from actlab.functions.backends.javascript import javascript
from actlab.functions.backends.tracing import Symbol, trace

UNITS = 8
TRAINABLE_BY_POPULATIONS = [name for name, f in catalogue.items() if not any(p.shape for p in f.parameters)]
X = np.concatenate([np.linspace(-12, 12, 401), [0.0, 1e-20, 50, -50, 800, -800, 3e5]]).reshape(-1, UNITS)

CALLS = """
found = Object.fromEntries(Object.entries(FUNCTIONS).map(([name, f]) => [name, given.x.map((row) =>
    given.grouping.includes(name)
      ? f(row, ...given.parameters[name])
      : row.map((x, i) => f(x, ...given.parameters[name].map((values) => values[i]))))]));
"""


def in_node(folder, functions, parameters):
    grouping = [name for name, function in functions.items() if function.kind == "grouping"]
    table = "".join(f"{name!r}: {javascript(function, UNITS)},\n" for name, function in functions.items())
    given = {"x": X.tolist(), "parameters": parameters, "grouping": grouping}
    return run(folder, f"const FUNCTIONS = {{\n{table}}};\n{CALLS}", given)


def test_every_function_gives_the_numbers_of_python(tmp_path):
    functions = {name: catalogue[name] for name in TRAINABLE_BY_POPULATIONS}
    settings = {
        name: {p.name: np.full(UNITS, p.default) * (1 + 0.1 * np.arange(UNITS)) for p in f.parameters if p.trainable}
        for name, f in functions.items()
    }
    given = {name: [values.tolist() for values in own.values()] for name, own in settings.items()}
    found = in_node(tmp_path, functions, given)
    assert len(found) == len(TRAINABLE_BY_POPULATIONS) > 120
    for name, function in functions.items():
        expected = function(X, **settings[name])
        # JSON has no infinity: null stands for it.
        values = np.array(found[name], dtype=float)
        np.testing.assert_array_equal(np.isnan(values), ~np.isfinite(expected), err_msg=name)
        finite = np.isfinite(expected)
        np.testing.assert_allclose(values[finite], expected[finite], rtol=1e-12, atol=1e-300, err_msg=name)


def carried_out(graph, given):
    """The outputs of a graph in NumPy, an element of every array after the other."""
    results = []

    def known(operand):
        return results[operand.place] if isinstance(operand, Symbol) else operand

    with np.errstate(all="ignore"):
        for node in graph.nodes:
            if node.operation == "input":
                results.append(given[node.operands[0]][..., *node.operands[1:]])
            else:
                results.append(getattr(np, node.operation)(*map(known, node.operands)))
    outputs = [np.broadcast_to(known(output), len(given["x"])) for output in graph.outputs.ravel()]
    return np.stack(outputs, -1).reshape(-1, *graph.outputs.shape)


@pytest.mark.parametrize("which", ["value", "derivative"])
@pytest.mark.parametrize("name", TRAINABLE_BY_POPULATIONS)
def test_the_graph_computes_the_function(name, which):
    function = catalogue[name]
    x = X if function.kind == "grouping" else X.ravel()
    learnt = {p.name: np.full(x.shape, p.default) for p in function.parameters if p.trainable}
    found = carried_out(trace(function, which, UNITS), {"x": x, **learnt})
    wanted = function(x) if which == "value" else function.derivative(x)
    np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-15)


def test_what_stays_the_same_is_one_node():
    graph = trace(catalogue["sigmoid"])
    assert len(set(map(repr, graph.nodes))) == len(graph.nodes)
    assert graph.inputs == ("x",)
    assert graph.outputs.shape == ()
    assert trace(catalogue["softmax"], "derivative", 3).outputs.shape == (3, 3)


def test_the_derivative_in_javascript(tmp_path):
    code = f"const F = {javascript(catalogue['softmax'], 3, 'derivative')};\nfound = F(given.x);"
    x = [0.5, -1.0, 2.0]
    found = run(tmp_path, code, {"x": x})
    np.testing.assert_allclose(np.array(found), catalogue["softmax"].derivative(x), rtol=1e-14)


def test_weights_of_several_units_are_refused():
    with pytest.raises(InvalidFunction, match="meta_acon cannot be traced: it has weights"):
        trace(catalogue["meta_acon"])


def test_a_function_of_a_users_own(tmp_path):
    mine = register("of_mine", lambda x, xp: xp.where(x > 0, x**2, -abs(x)) + 1 / (2 + xp.square(x)), source="a test")
    try:
        found = in_node(tmp_path, {"of_mine": mine}, {"of_mine": []})["of_mine"]
        np.testing.assert_allclose(np.array(found, float), mine(X), rtol=1e-14)
    finally:
        unregister("of_mine")


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        (lambda x, xp: xp.linalg.norm(x), r"xp\.linalg, which symbols do not have"),
        (lambda x, xp: x if x > 0 else 0 * x, r"branches on its input: use xp\.where"),
        (lambda x, xp: np.tanh(x), "odd cannot be traced"),
    ],
)
def test_what_cannot_be_written_says_why(rule, problem):
    from actlab.functions import Activation, Formula

    odd = Activation("odd", "Odd", Formula("?"), "own", None, "a test", rule, None)
    with pytest.raises(InvalidFunction, match=f"odd cannot be traced: .*{problem}|{problem}"):
        javascript(odd)
