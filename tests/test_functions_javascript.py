"""The functions in JavaScript, run in Node: the same numbers as in Python, for all that a network can train."""

from __future__ import annotations

import numpy as np
import pytest
from tests.javascript import run

from actlab.errors import InvalidFunction
from actlab.functions import catalogue, register, unregister
from actlab.functions.backends.javascript import javascript

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
