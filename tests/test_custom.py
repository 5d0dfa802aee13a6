"""A user's own network: trained like the same network made of layers, traced, refused where it is wrong."""

from __future__ import annotations

import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import actlab
from actlab import engine
from actlab.custom import CustomNetwork, custom_network, trace
from actlab.errors import InvalidNetwork, InvalidRecording, InvalidStudy
from actlab.functions import catalogue
from actlab.layers import Act, Dense, Dropout, Flatten
from actlab.network import build
from actlab.study import Study, from_toml
from actlab.views.tensorboard import export

LAYERS = [Flatten(), Dense(6), Act(), Dense(3, activation="tanh"), Dense(10)]
SETTINGS = {"task": "digits", "seeds": 2, "epochs": 2, "batch": 64, "learning_rates": [0.01], "probe_samples": 32}


class Same:
    """The network of LAYERS, written by hand; its weights are drawn as the layers draw theirs."""

    @staticmethod
    def init(key):
        params = build(LAYERS, (8, 8, 1)).init(key)
        return {"a": params["dense1"], "b": [params["dense2"], params["dense3"]]}

    @staticmethod
    def apply(params, x, act, *, training, key):
        assert training == (key is not None)
        second, third = params["b"]
        x = act(x.reshape(len(x), -1) @ params["a"]["weight"] + params["a"]["bias"], name="first")
        x = jnp.tanh(x @ second["weight"] + second["bias"])
        return x @ third["weight"] + third["bias"]


def flat(x):
    return x.reshape(len(x), -1)


def pair(apply):
    return Same.init, apply


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    folder = tmp_path_factory.mktemp("own")
    names = ["relu", "prelu", "softmax", "sigmoid"]
    return [
        engine.train(Study(network=network, activations=names, **SETTINGS), folder / str(i))
        for i, network in enumerate((Same, LAYERS))
    ]


def test_it_is_trained_and_recorded_like_the_same_network_of_layers(both):
    own, layered = both
    assert own.facts["parameters"] == layered.facts["parameters"]
    assert own.act_layers == ("first",)
    for name, values in layered.metrics.items():
        np.testing.assert_allclose(own.metrics[name], values, rtol=2e-4, atol=2e-5, err_msg=name)
    for name, values in layered.probes.items():
        if "histogram" in name or "class" in name:
            continue
        # The fixed tanh is a place among the layers, and a user's own affair here.
        values = values[..., :1] if "activation" in name or "share" in name else values
        np.testing.assert_allclose(own.probes[name], values, rtol=2e-3, atol=2e-5, err_msg=name)


def test_weights_of_every_epoch_are_kept_by_their_paths(both):
    own, layered = both
    member = next(m for m in own.members if (m.activation, m.seed) == ("prelu", 1))
    found = own.weights(member, 2)
    same = layered.weights(next(m for m in layered.members if (m.activation, m.seed) == ("prelu", 1)), 2)
    assert set(found["network"]) == {"a.bias", "a.weight", "b.0.bias", "b.0.weight", "b.1.bias", "b.1.weight"}
    np.testing.assert_allclose(found["network"]["b.0.weight"], same["dense2"]["weight"], rtol=2e-3, atol=2e-5)
    np.testing.assert_allclose(found["first"]["negative_slope"], same["act1"]["negative_slope"], rtol=2e-3, atol=2e-5)


def test_a_recording_names_the_network_and_opens_without_its_code(both, tmp_path):
    own, _ = both
    study = from_toml(own.directory / "study.toml", recorded=True)
    assert isinstance(study.network, CustomNetwork)
    assert study.network.name.endswith(":Same")
    assert study.identity == own.study.identity
    with pytest.raises(InvalidRecording, match=r"does not hold the code of the network .*:Same"):
        own.network("relu")
    with pytest.raises(InvalidNetwork, match="code of a user's own, which a recording does not hold"):
        study.network.init(None)
    page = actlab.report(own, tmp_path / "report.html").read_text(encoding="utf-8")
    assert ":Same" in page


class Slashed:
    """Same, its parameters and its place named as Haiku does."""

    @staticmethod
    def init(key):
        first, (second, third) = Same.init(key).values()
        return {"mlp/~/linear_0": first, "mlp/~/linear_1": second, "network/linear": third}

    @staticmethod
    def apply(params, x, act, *, training, key):
        first, second, third = params.values()
        return Same.apply(
            {"a": first, "b": [second, third]},
            x,
            lambda x, name: act(x, name=f"mlp/~/{name}"),
            training=training,
            key=key,
        )


def test_names_with_slashes_load(both, tmp_path):
    study = Study(network=Slashed, activations=["relu", "prelu", "softmax", "sigmoid"], **SETTINGS)
    found, same = engine.train(study, tmp_path / "run"), both[0]
    named = {"a": "mlp/~/linear_0", "b.0": "mlp/~/linear_1", "b.1": "network/linear"}
    for member in same.members:
        own, other = found.weights(member, 2), same.weights(member, 2)
        assert set(own) == {"network", *(["mlp/~/first"] if member.activation == "prelu" else [])}
        for layer, arrays in other.items():
            for name, array in arrays.items():
                leaf, _, last = name.rpartition(".")
                place = own["network"][f"{named[leaf]}.{last}"] if layer == "network" else own[f"mlp/~/{layer}"][name]
                np.testing.assert_array_equal(place, array)
    stacked = found.weight_arrays("prelu", [0, 2])
    assert stacked["mlp/~/first"]["negative_slope"].shape == (2, 2, 6)
    assert stacked["network"]["network/linear.weight"].shape == (2, 2, 3, 10)
    assert "mlp/~/linear_0.weight" in actlab.report(found, tmp_path / "report.html").read_text(encoding="utf-8")
    actlab.load(found.directory).curves().savefig(tmp_path / "curves.png")
    events = export(found, tmp_path / "events")
    assert len([path for path in events.rglob("*") if path.is_file()]) == len(found.members)


def test_a_study_file_imports_the_network(tmp_path, monkeypatch):
    (tmp_path / "a_network_of_mine.py").write_text(
        "import jax\n\n\ndef init(key):\n    return jax.random.normal(key, (64, 10)) / 8\n\n\n"
        "def apply(params, x, act, *, training, key):\n"
        "    return act(x.reshape(len(x), -1), name='data') @ params\n\n\nmine = (init, apply)\n"
    )
    (tmp_path / "study.toml").write_text('network = "a_network_of_mine:mine"\nactivations = ["relu", "linear"]\n')
    monkeypatch.chdir(tmp_path)
    study = from_toml("study.toml")
    try:
        assert Study(**study.model_dump()).identity == study.identity
        traced = study.network_for("relu", (8, 8, 1))
        assert (traced.leaves, traced.act_layers, traced.output_shape) == ({"": (64, 10)}, ("data",), (10,))
    finally:
        sys.modules.pop("a_network_of_mine", None)


def test_dropout_by_the_key_is_alike_for_all_activations_of_a_seed(tmp_path):
    dropout = Dropout(0.5)

    def apply(params, x, act, *, training, key):
        x = x.reshape(len(x), -1) @ params["a"]["weight"]
        # What the functions make of it is not used: only what is drawn could tell them apart.
        x = dropout.apply({}, jnp.tanh(x) + 0 * act(x, name="first"), key=key)
        return x @ jnp.ones((6, 10)) + params["b"][1]["bias"] + jnp.sum(params["b"][0]["weight"]) * 0

    study = Study(network=pair(apply), activations=["relu", "gelu"], **SETTINGS)
    recording = engine.train(study, tmp_path / "run")
    relu, gelu = recording.metrics["train_loss"][:, :2], recording.metrics["train_loss"][:, 2:]
    np.testing.assert_array_equal(relu, gelu)
    assert not np.allclose(relu[:, 0], relu[:, 1])


def test_trace_of_a_function_with_parameters_and_one_that_changes_the_width():
    def apply(params, x, act, *, training, key):
        return act(x.reshape(len(x), -1)[:, :20])

    assert trace(custom_network(pair(apply)), (8, 8, 1), "prelu").layers[0].parameter_shapes == {
        "negative_slope": (20,)
    }
    assert trace(custom_network(pair(apply)), (8, 8, 1), "maxout").output_shape == (10,)
    with pytest.raises(InvalidNetwork, match=r"act1: maxmin|act1: maxout makes one unit out of 2 inputs"):
        trace(custom_network(pair(lambda p, x, act, **_: act(x.reshape(len(x), -1)[:, :7]))), (8, 8, 1), "maxout")


TWICE = "act is called twice under the name 'h', with samples of shapes"


@pytest.mark.parametrize(
    ("apply", "message"),
    [
        (lambda p, x, act, **_: x.reshape(len(x), -1)[:, :10], "apply never calls act"),
        (lambda p, x, act, **_: act(act(flat(x), name="h")[:, :9], name="h"), rf"{TWICE} \(64,\) and \(9,\)"),
        (lambda p, x, act, **_: act(x, name="h"), r"must return logits \(batch, outputs\) and returns \(2, 8, 8, 1\)"),
        (lambda p, x, act, **_: act(x @ p["a"]["weight"]), r"apply fails on samples of shape \(8, 8, 1\) \(TypeError"),
        (lambda p, x, act, **_: act(flat(x), name="network/h"), "under the name 'network/h', where the network's own"),
        (lambda p, x: x, r"apply fails on samples of shape \(8, 8, 1\) \(TypeError: .*act"),
        (lambda p, x, act, **_: act(flat(x)[:, :7]), "apply of output shape .7,., but the task has 10 classes"),
    ],
)  # fmt: skip
def test_a_wrong_network_is_refused_before_anything_is_written(apply, message, tmp_path):
    study = Study(network=pair(apply), activations=["relu"], **SETTINGS)
    with pytest.raises(InvalidNetwork, match=message):
        engine.train(study, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_arrays_whose_names_would_be_one_are_refused():
    def init(key):
        return {"a.b": jnp.ones((64, 10)), "a": {"b": jnp.ones(10)}}

    with pytest.raises(InvalidNetwork, match=r"init gives two arrays of the name 'a\.b'.*give one of them another key"):
        trace(custom_network((init, lambda p, x, act, **_: act(flat(x) @ p["a.b"]))), (8, 8, 1), "relu")


@pytest.mark.parametrize(
    ("network", "message"),
    [
        ("no_such_module:network", "cannot be imported .No module named 'no_such_module'"),
        ("json:network", "cannot be imported .*has no attribute 'network'"),
        ("json:loads", "is no network: an object with init"),
        ("..:x", "network '..:x' cannot be imported .TypeError: .*relative import"),
        ("..json:loads", "cannot be imported .TypeError: .*relative import"),
        (f"{'x' * 5000}:y", "network 'x{58}… cannot be imported"),
    ],
)
def test_what_cannot_be_a_network(network, message):
    with pytest.raises(InvalidStudy, match=message):
        Study(network=network)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("def (", "SyntaxError: invalid syntax"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("raise SystemExit(0)", "SystemExit: 0"),
        ("raise ValueError('one\\ntwo')", "ValueError: one two"),
    ],
)
def test_a_module_that_fails_while_it_is_imported(code, reason, tmp_path, monkeypatch):
    name = f"failing_{reason[:5].lower()}"
    (tmp_path / f"{name}.py").write_text(code, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidStudy, match=rf"network '{name}:network' cannot be imported \({reason}"):
        Study(network=f"{name}:network")


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"init": "gain"}, "init 'gain' scales the weights"), ({"match": "parameters"}, "match 'parameters' widens")],
)  # fmt: skip
def test_settings_that_need_layers(settings, message, tmp_path):
    with pytest.raises(InvalidStudy, match=message):
        engine.train(Study(network=Same, activations=["relu"], **SETTINGS | settings), tmp_path / "run")


def test_gradients_of_a_population_are_those_of_one_network():
    """Against jax.grad of the plain function, for the second of two seeds."""
    from actlab.engine.forward import PopulationModel, forward
    from actlab.engine.layouts import MembersFirst
    from actlab.plan.population import populations

    study = Study(network=Same, activations=["tanh", "gelu"], **SETTINGS)
    (population,) = populations(study, (8, 8, 1))
    drawn = jax.vmap(population.network.init)(jax.random.split(jax.random.key(0), 2))
    params = jax.tree.map(lambda leaf: jnp.stack([leaf, leaf]), drawn)
    x = jax.random.normal(jax.random.key(1), (1, 2, 5, 8, 8, 1))
    logits, seen = forward(PopulationModel(population, MembersFirst()), params, x)
    one = jax.tree.map(lambda leaf: leaf[1], drawn)["network"]
    for variant, name in enumerate(study.activations):
        expected = Same.apply(one, x[0, 1], lambda z, name, f=catalogue[name]: f(z), training=False, key=None)
        np.testing.assert_allclose(logits[variant, 1], expected, rtol=1e-5, atol=1e-6)
    assert seen["first"][0].shape == (2, 2, 5, 6)
