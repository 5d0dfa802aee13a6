"""Functions with other parameters, each one of its own with its name: against PyTorch, SciPy and finite differences."""

from __future__ import annotations

import copy
import itertools
import math
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from scipy import integrate
from tests.javascript import run

from actlab.errors import InvalidFunction, UnknownName
from actlab.functions import Parameter, catalogue, register, unregister
from actlab.functions.backends.javascript import javascript
from actlab.functions.variants import bare, parsed, split_names, written
from actlab.torch import Activation

TORCH = {
    "leaky_relu(negative_slope=0.2)": torch.nn.LeakyReLU(0.2),
    "leaky_relu(negative_slope=-0.5)": torch.nn.LeakyReLU(-0.5),
    "elu(alpha=0.5)": torch.nn.ELU(0.5),
    "celu(alpha=2)": torch.nn.CELU(2.0),
    "softplus(beta=3)": torch.nn.Softplus(3.0, threshold=1e9),
    "hard_shrink(threshold=1.25)": torch.nn.Hardshrink(1.25),
    "soft_shrink(threshold=0.1)": torch.nn.Softshrink(0.1),
    "threshold(threshold=0.1,value=-3)": torch.nn.Threshold(0.1, -3.0),
    "hard_tanh(minimum=-2,maximum=0.5)": torch.nn.Hardtanh(-2.0, 0.5),
    "rrelu(lower=0.2,upper=0.3)": torch.nn.RReLU(0.2, 0.3).eval(),
    "prelu(negative_slope=0.1)": torch.nn.LeakyReLU(0.1),
}
# Off every kink.
X = np.linspace(-7.03, 7.11, 287)


def slopes_of(module):
    x = torch.tensor(X, requires_grad=True)
    module(x).sum().backward()
    return x.grad.numpy()


@pytest.mark.parametrize("name", TORCH)
def test_value_and_slope_are_those_of_the_parameters_in_every_library(name):
    function, module = catalogue[name], TORCH[name]
    assert function.name == name
    value, slope = module(torch.tensor(X)).numpy(), slopes_of(module)
    np.testing.assert_allclose(function(X), value, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(function.derivative(X), slope, rtol=1e-12, atol=1e-14)
    x = jnp.asarray(X, jnp.float32)
    np.testing.assert_allclose(function(x), value, rtol=2e-5, atol=1e-6)
    np.testing.assert_allclose(jax.vmap(jax.grad(function))(x), slope, rtol=2e-5, atol=1e-6)
    # Weights of PyTorch are made in float32.
    ours = Activation(name).eval()
    np.testing.assert_allclose(ours(torch.tensor(X)).detach(), value, rtol=1e-7, atol=1e-14)
    np.testing.assert_allclose(slopes_of(ours), slope, rtol=1e-7, atol=1e-14)


@pytest.mark.parametrize("name", TORCH)
def test_facts_are_those_of_the_parameters(name):
    facts, module = catalogue[name].facts(), TORCH[name]

    def mean(power):
        def density(x):
            return float(module(torch.tensor(x, dtype=torch.float64))) ** power * math.exp(-x * x / 2)

        ends = [-12, *sorted({-2, -1.25, -0.1, 0.0, 0.1, 0.5, 1.25}), 12]
        parts = (integrate.quad(density, *pair, epsabs=1e-13)[0] for pair in itertools.pairwise(ends))
        return sum(parts) / math.sqrt(2 * math.pi)

    assert facts.name == name
    assert facts.gain == pytest.approx(1 / math.sqrt(mean(2)), rel=1e-7)
    assert facts.mean_under_unit_normal == pytest.approx(mean(1), abs=1e-8)
    assert facts.slope_supremum == pytest.approx(np.abs(slopes_of(module)).max(), rel=1e-6)
    assert facts.equals == (f"{bare(name)}(x, {name.partition('(')[2][:-1].replace(',', ', ')})",)


def test_the_critical_point_is_that_of_the_slope():
    # At √(2 / (1 + slope²)), as He and others have it for a leaky unit (arXiv 1502.01852, equation 15).
    for slope in (0.0, 0.2, 0.5):
        critical = catalogue[f"leaky_relu(negative_slope={slope})"].facts().critical
        assert critical is not None
        assert critical.weight_std == pytest.approx(math.sqrt(2 / (1 + slope**2)), rel=1e-9)


def test_a_page_computes_with_the_parameters(tmp_path):
    names = [name for name in TORCH if not name.startswith("prelu")]
    table = "".join(f"{name!r}: {javascript(catalogue[name])},\n" for name in names)
    calls = "found = Object.fromEntries(Object.entries(F).map(([name, f]) => [name, given.map((x) => f(x))]));"
    found = run(tmp_path, f"const F = {{\n{table}}};\n{calls}", X.tolist())
    for name in names:
        expected = TORCH[name](torch.tensor(X)).numpy()
        np.testing.assert_allclose(found[name], expected, rtol=1e-12, atol=1e-14, err_msg=name)


def test_hidden_activations_of_the_page_are_kept_in_its_address(tmp_path):
    script = """
import { readState, written } from "./state.js";
const usual = {hidden: [], epoch: 5, seeds: [0], seed: 0, layers: ["act1"], layer: "act1",
  labels: [], label: null, every: [0]};
const state = readState(usual, "");
state.hidden = new Set(given);
found = [...readState(usual, "#" + written(state, usual)).hidden];
"""
    names = ["threshold(threshold=0.1,value=-3)", "relu", "my_functions:wavy(frequency=3)"]
    assert run(tmp_path, script, names) == names


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Leaky-ReLU( negative_slope = .20 )", "leaky_relu(negative_slope=0.2)"),
        ("leaky_relu(negative_slope=2e-1)", "leaky_relu(negative_slope=0.2)"),
        ("leaky_relu(negative_slope=0.01)", "leaky_relu"),
        ("leaky_relu()", "leaky_relu"),
        ("leaky_relu(negative_slope=-0)", "leaky_relu(negative_slope=0)"),
        ("threshold(value=-3, threshold=2)", "threshold(threshold=2,value=-3)"),
        ("threshold(value=-3, threshold=1)", "threshold(value=-3)"),
        ("maxout(pieces=4)", "maxout(pieces=4)"),
    ],
)
def test_every_spelling_leads_to_one_function(text, name):
    assert catalogue[text].name == name
    assert catalogue[text] is catalogue[name]
    assert text in catalogue
    assert name not in set(catalogue) or name == bare(name)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("leaky_relu(negative_slop=1)", "leaky_relu has no parameter 'negative_slop'; did you mean 'negative_slope'?"),
        ("relu(a=1)", "relu has no parameter 'a'; it has: none."),
        ("elu(alpha=-1)", "elu: parameter 'alpha' must be a number in [0, inf]; it was given -1."),
        ("maxout(pieces=2.5)", "maxout: parameter 'pieces' must be an integer in [1, inf]; it was given 2.5."),
        ("elu(alpha=nan)", "'elu(alpha=nan)': parameter 'alpha' must be a finite number; it was given 'nan'."),
        ("elu(alpha=1e999)", "'elu(alpha=1e999)': parameter 'alpha' must be a finite number; it was given '1e999'."),
        (f"elu(alpha={'1' * 5000})", "parameter 'alpha' must be a finite number"),
        ("elu(alpha=2**9)", "parameter 'alpha' must be a finite number; it was given '2**9'."),
        ("elu(alpha=1,alpha=2)", "'elu(alpha=1,alpha=2)': parameter 'alpha' is given twice."),
        ("elu(2)", "'elu(2)': parameter=number is expected, as in leaky_relu(negative_slope=0.2), got '2'."),
        ("elu(alpha=2,)", "parameter=number is expected"),
        ("elu(alpha=2", "'elu(alpha=2': one name and one pair of parentheses are expected"),
        ("(alpha=2)", "one name and one pair of parentheses are expected"),
        ("elu(alpha=2)(alpha=2)", "one name and one pair of parentheses are expected"),
        ("funnel_relu(window=2)", "funnel_relu: 'window' is an array of weights, for which no number stands."),
        ("hard_tanh(minimum=2)", "hard_tanh: "),
    ],
)
def test_what_is_wrong_is_told_in_a_sentence(text, words):
    with pytest.raises(InvalidFunction) as told:
        catalogue[text]
    assert words in str(told.value)
    assert text not in catalogue


def test_a_misspelt_name_is_told_without_its_parameters():
    with pytest.raises(UnknownName, match="unknown activation 'leky_relu': did you mean 'leaky_relu'"):
        catalogue["leky_relu(negative_slope=0.2)"]


def test_lists_are_parted_outside_of_parentheses():
    assert split_names(" relu ,rrelu(lower=0.1, upper=0.2),,elu( alpha=1 )") == [
        "relu",
        "rrelu(lower=0.1, upper=0.2)",
        "elu( alpha=1 )",
    ]
    assert split_names("elu(alpha=1,relu") == ["elu(alpha=1", "relu"]


@pytest.mark.parametrize("value", [0.1, 1 / 3, 1e-300, 1e22, -2.5e-8, 4.0, 123456789.0])
def test_a_number_reads_back_as_it_was(value):
    assert parsed(written("elu", {"alpha": value})) == ("elu", {"alpha": value})


def test_with_parameters_starts_from_what_there_is():
    variant = catalogue["threshold"].with_parameters(value=-3)
    assert variant.name == "threshold(value=-3)"
    both = variant.with_parameters(threshold=2)
    assert (both.name, both.variant_of) == ("threshold(threshold=2,value=-3)", catalogue["threshold"])
    assert both.with_parameters(threshold=1, value=0) is catalogue["threshold"]
    for wrong in (np.ones(3), True, math.inf):
        with pytest.raises(InvalidFunction, match="'value' must be a finite number"):
            variant.with_parameters(value=wrong)


def test_a_call_may_still_say_otherwise():
    function = catalogue["leaky_relu(negative_slope=0.2)"]
    assert float(function(-1.0, negative_slope=0.5)) == -0.5
    assert function.to_dict()["parameters"]["negative_slope"]["default"] == 0.2
    assert catalogue["leaky_relu"].to_dict()["parameters"]["negative_slope"]["default"] == 0.01


def test_modules_of_pytorch_start_there_and_are_copied():
    module = Activation("prelu(negative_slope=0.1)", units=3)
    np.testing.assert_allclose(module.negative_slope.detach(), [0.1] * 3)
    x = torch.tensor([[-1.0, 2.0, -3.0]])
    for made in (copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        torch.testing.assert_close(made(x), torch.nn.functional.leaky_relu(x, 0.1))


def test_functions_that_change_the_width_change_it_by_their_parameters():
    assert catalogue["maxout(pieces=4)"].inputs_per_unit() == 4
    x = np.random.default_rng(0).normal(size=(5, 12))
    np.testing.assert_array_equal(catalogue["maxout(pieces=4)"](x), x.reshape(5, 3, 4).max(-1))


def test_variants_of_a_function_of_ones_own_go_with_it():
    register("own_line", lambda x, xp, slope: slope * x, parameters=[Parameter("slope", 2.0)])
    try:
        assert float(catalogue["own_line(slope=3)"](2.0)) == 6.0
        assert catalogue.holds_own("own_line(slope=3)")
        unregister("own_line(slope=3)")
        assert "own_line(slope=3)" not in catalogue
        register("own_line", lambda x, xp, slope: -slope * x, parameters=[Parameter("slope", 2.0)])
        assert float(catalogue["own_line(slope=3)"](2.0)) == -6.0
    finally:
        unregister("own_line")
