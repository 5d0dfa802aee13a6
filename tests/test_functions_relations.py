"""Which functions are the same: what is kept holds, what is known is found, and nothing else is claimed."""

import numpy as np
import pytest

from actlab.functions import catalogue, register, unregister
from actlab.functions.measured.relations import Relation, known, related, relation

X = np.random.default_rng(7).normal(size=400) * 6
KEPT = [(name, one) for name, relations in known().items() for one in relations]


@pytest.mark.parametrize(("name", "one"), KEPT, ids=[f"{name} = {one}" for name, one in KEPT])
def test_every_relation_that_is_kept_holds(name, one):
    expected = one.shift + one.scale * catalogue[one.function](one.stretch * X, **dict(one.parameters))
    np.testing.assert_allclose(catalogue[name](X), expected, rtol=2e-10, atol=2e-10)


def test_all_functions_of_one_variable_were_compared():
    assert set(known()) == {name for name, activation in catalogue.items() if activation.kind != "grouping"}


def test_two_names_for_one_function_are_aliases():
    """Two that start equal must differ in what is learnt, drawn or passed back, or at other parameters."""

    def special(name):
        activation = catalogue[name]
        return activation.noise or name.startswith("spike_") or any(p.trainable for p in activation.parameters)

    same = {frozenset((name, one.function)) for name, one in KEPT if one.exact and not one.parameters}
    plain = {pair for pair in same if not any(map(special, pair))}
    # CELU scales the input by 1/alpha, ELU does not.
    assert plain == {frozenset(("elu", "celu"))}
    assert catalogue["elu"](-1.0, alpha=2) != catalogue["celu"](-1.0, alpha=2)


@pytest.mark.parametrize(
    ("name", "other", "text"),
    [
        ("tanh", "sigmoid", "2*sigmoid(2*x) - 1"),
        ("sigmoid", "tanh", "0.5*tanh(0.5*x) + 0.5"),
        ("elliott", "softsign", "0.5*softsign(x) + 0.5"),
        ("c_log_log", "log_log", "-log_log(-x) + 1"),
        ("log_sigmoid", "softplus", "-softplus(-x)"),
        ("relu", "elu", "elu(x, alpha=0)"),
        ("selu", "elu", "1.050700987*elu(x, alpha=1.673263242)"),
        ("quick_gelu", "silu", "0.5875440658*silu(1.702*x)"),
        ("silu", "trainable_swish", "trainable_swish(x)"),
    ],
)
def test_known_relations_are_found(name, other, text):
    found = relation(catalogue[name], catalogue[other])
    assert found is not None
    assert str(found) == text


@pytest.mark.parametrize(
    ("name", "other"),
    [("gelu", "silu"), ("mish", "silu"), ("gelu", "gelu_tanh"), ("softsign", "tanh"), ("relu", "softplus")],
)
def test_similar_functions_are_not_called_the_same(name, other):
    assert relation(catalogue[name], catalogue[other]) is None


def test_a_function_hidden_by_scaling_shift_and_reflection_is_found():
    hidden = register("hidden", lambda x, xp: 3 - 0.25 * catalogue["mish"].value_rule(-1.5 * x, xp))
    try:
        (found,) = related(hidden, [catalogue["mish"], catalogue["gelu"], hidden])
        assert found == Relation("mish", (), -0.25, 3.0, -1.5)
        assert not found.exact
    finally:
        unregister("hidden")


def test_functions_that_mix_units_are_not_compared():
    assert relation(catalogue["softmax"], catalogue["sigmoid"]) is None
    assert relation(catalogue["sigmoid"], catalogue["maxout"]) is None
