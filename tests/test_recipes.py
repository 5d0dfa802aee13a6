"""The named studies: complete, as published, and reachable by name."""

from __future__ import annotations

import json
from importlib.resources import files

import numpy as np
import pytest

from actlab.errors import UnknownName
from actlab.recipes import RECIPES, measured, recipe
from actlab.recipes.description import METRICS
from actlab.study import complete, from_toml
from actlab.tasks import load, outline
from actlab.tasks.task import build

DOWNLOADED = ("mnist", "cifar10")
# Comparisons of our own, which no source has published.
OURS = ("digits", "sine", "diabetes", "friedman", "tic-tac-toe")


def data_of(study):
    """The task of a study; where it must be downloaded, one of noise with the same shape and classes."""
    if study.task not in DOWNLOADED:
        return load(study.task, seed=study.task_seed)
    x = np.random.default_rng(0).random((600, *outline(study.task).shape), dtype=np.float32)
    pair = x, np.arange(600) % 10
    return build(study.task, pair, pair, pair, provenance="noise")


def networks(name):
    study = recipe(name).study
    return study.networks(outline(study.task).shape)


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_are_named_as_they_are_found_and_fit_their_data(name):
    found = recipe(name)
    assert found.study.name == name
    assert found.title
    assert found.source.endswith(".")
    completed = complete(found.study, data_of(found.study))
    assert completed.network == found.study.network
    assert completed.learning_rates == found.study.learning_rates
    assert completed.batch == found.study.batch


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_survive_the_way_through_a_file(name, tmp_path):
    path = tmp_path / "study.toml"
    path.write_text(recipe(name).study.to_toml(), encoding="utf-8")
    assert from_toml(path) == recipe(name).study
    assert from_toml(path).identity == recipe(name).study.identity


def test_the_recipes_are_those_of_the_published_experiments():
    assert list(RECIPES) == [
        "digits",
        "parabolas",
        "sine",
        "diabetes",
        "friedman",
        "tic-tac-toe",
        "mnist-mlp",
        "mnist-deep-mlp",
        "cifar10-lenet5",
        "mnist-cnn",
        "cifar10-cnn",
    ]


def settings(name):
    study = recipe(name).study
    optimiser = study.optimiser.name, *study.learning_rates, study.batch, study.epochs
    return study.task, study.validation, study.activations, optimiser, len(study.seeds)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("mnist-mlp", ("mnist", "test", ("linear", "sigmoid", "tanh", "relu"), ("adam", 0.001, 128, 5), 10)),
        ("mnist-deep-mlp", ("mnist", "test", ("linear", "sigmoid", "tanh", "relu"), ("adam", 0.001, 128, 5), 10)),
        (
            "cifar10-lenet5",
            (
                "cifar10",
                "test",
                ("relu", "sigmoid", "tanh", "leaky_relu", "prelu", "maxout"),
                ("adam", 0.001, 256, 10),
                3,
            ),
        ),
        (
            "mnist-cnn",
            ("mnist", "held-out", ("sigmoid", "tanh", "relu", "leaky_relu", "elu"), ("adam", 0.001, 128, 5), 3),
        ),
        (
            "cifar10-cnn",
            ("cifar10", "test", ("sigmoid", "tanh", "relu", "leaky_relu", "elu"), ("sgd", 0.1, 128, 5), 3),
        ),
    ],
)
def test_the_settings_are_the_published_ones(name, expected):
    assert settings(name) == expected


# Layer tables


@pytest.mark.parametrize(
    ("name", "activation", "published", "total"),
    [
        ("mnist-mlp", "sigmoid", [401_920, 5_130], 407_050),
        ("mnist-deep-mlp", "linear", [401_920, *[262_656] * 5, 5_130], 1_720_330),
        ("cifar10-lenet5", "relu", [456, 2_416, 48_120, 645_204, 850], 697_046),
    ],
)
def test_layers_have_as_many_parameters_as_published(name, activation, published, total):
    network = networks(name)[activation]
    assert [built.parameter_count for built in network.layers if built.parameter_count] == published
    assert network.parameter_count == total


def test_lenet5_flattens_to_the_published_number_of_inputs():
    shapes = {built.name: built.output_shape for built in networks("cifar10-lenet5")["relu"].layers}
    assert shapes["flatten1"] == (7680,)
    assert (shapes["conv1"], shapes["conv2"], shapes["conv3"]) == ((32, 32, 6), (16, 16, 16), (8, 8, 120))


def test_lenet5_sees_pixels_from_0_to_255():
    first = networks("cifar10-lenet5")["relu"].layers[0].layer
    pixels = np.arange(256, dtype=np.float32).reshape(1, 16, 16, 1)
    np.testing.assert_allclose(first.apply({}, pixels / np.float32(255)), pixels, rtol=3e-7)


def test_the_tutorials_network_for_cifar10():
    """Layer by layer against TensorFlow's tutorial: shapes, and what regularises."""
    network = networks("cifar10-cnn")["relu"]
    found = [
        (built.layer.layer, built.output_shape)
        for built in network.layers
        if built.layer.layer not in ("act", "local_response_norm")
    ]
    assert found == [
        ("conv", (32, 32, 64)),
        ("max_pool", (16, 16, 64)),
        ("conv", (16, 16, 64)),
        ("max_pool", (8, 8, 64)),
        ("flatten", (4096,)),
        ("dense", (384,)),
        ("dense", (192,)),
        ("dense", (10,)),
    ]
    order = [built.layer.layer for built in network.layers][:8]
    assert order == [
        *("conv", "act", "max_pool", "local_response_norm"),
        *("conv", "act", "local_response_norm", "max_pool"),
    ]
    layers = [built.layer for built in network.layers]
    assert [getattr(layer, "l2", 0) for layer in layers if layer.layer in ("conv", "dense")] == [0, 0, 0.004, 0.004, 0]
    norms = [layer for layer in layers if layer.layer == "local_response_norm"]
    assert [(n.depth_radius, n.bias, n.alpha, n.beta) for n in norms] == [(4, 1, pytest.approx(0.001 / 9), 0.75)] * 2
    pools = [layer for layer in layers if layer.layer == "max_pool"]
    assert [(pool.size, pool.stride) for pool in pools] == [(3, 2)] * 2


def test_the_small_convolutional_network_for_mnist():
    layers = [(built.layer.layer, built.output_shape) for built in networks("mnist-cnn")["elu"].layers]
    assert [entry for entry in layers if entry[0] != "act"] == [
        ("conv", (28, 28, 16)),
        ("max_pool", (14, 14, 16)),
        ("conv", (14, 14, 32)),
        ("max_pool", (7, 7, 32)),
        ("flatten", (1568,)),
        ("dense", (128,)),
        ("dropout", (128,)),
        ("dense", (10,)),
    ]
    assert [kind for kind, _ in layers].count("act") == 3


def test_parabolas_is_the_published_network():
    study = recipe("parabolas").study
    networks = study.networks((2,))
    assert {network.parameter_count for network in networks.values()} == {9}
    assert [layer.layer for layer in study.network] == ["dense", "act", "dense"]
    assert (study.network[0].init, study.network[2].init) == ("glorot_normal", "normal(0.05)")
    assert study.activations == ("sigmoid", "tanh", "relu")
    assert (study.optimiser.name, study.optimiser.momentum, study.learning_rates) == ("sgd", 0, (0.05,))
    assert (study.batch, study.epochs, len(study.seeds)) == (16, 150, 100)
    assert [(m.label, m.accuracy) for m in study.milestones] == [(0, 1), (None, 1)]


# Published numbers

TABLES = """
parabolas       sigmoid  milestone:negatives all right  65
parabolas       sigmoid  milestone:all right            103
parabolas       tanh     milestone:negatives all right  55
parabolas       tanh     milestone:all right            69
parabolas       relu     milestone:negatives all right  10
parabolas       relu     milestone:all right            52
mnist-mlp       linear   test_loss                      0.299
mnist-mlp       linear   test_accuracy                  0.918
mnist-mlp       linear   validation_accuracy            .9178 .9196 .9186 .9245 .9185
mnist-mlp       sigmoid  test_loss                      0.113
mnist-mlp       sigmoid  test_accuracy                  0.967
mnist-mlp       sigmoid  validation_accuracy            .9237 .9409 .9550 .9629 .9668
mnist-deep-mlp  linear   test_loss                      0.416
mnist-deep-mlp  linear   test_accuracy                  0.877
mnist-deep-mlp  linear   validation_accuracy            .7928 .8787 .9005 .8953 .8767
mnist-deep-mlp  sigmoid  test_loss                      0.150
mnist-deep-mlp  sigmoid  test_accuracy                  0.955
mnist-deep-mlp  sigmoid  validation_accuracy            .8949 .9264 .9408 .9282 .9548
cifar10-lenet5  relu     train_accuracy                 .339 .493 .558 .609 .659 .702 .743 .789 .827 .861
cifar10-lenet5  relu     validation_accuracy            .451 .511 .517 .553 .551 .549 .549 .544 .533 .542
cifar10-lenet5  relu     validation_loss                1.553 1.381 1.360 1.289 1.323 1.396 1.412 1.536 1.780 1.831
"""


def test_the_numbers_are_those_of_the_sources_tables():
    rows = [[part.strip() for part in line.split("  ") if part.strip()] for line in TABLES.split("\n") if line]
    stated = {tuple(row[:3]): [float(value) for value in row[3].split()] for row in rows}
    found: dict[tuple[str, ...], list[float]] = {}
    for name, made in RECIPES.items():
        for point in made.published:
            found.setdefault((name, point.activation, point.metric), []).append(point.value)
    assert found == stated


@pytest.mark.parametrize("name", RECIPES)
def test_published_numbers_can_be_held_against_the_study(name):
    made = recipe(name)
    milestones = {f"milestone:{milestone.name}" for milestone in made.study.milestones}
    seen = [(point.metric, point.activation, point.epoch) for point in made.published]
    assert len(set(seen)) == len(seen)
    for point in made.published:
        assert point.metric in {*METRICS, *milestones}
        assert point.activation in made.study.activations
        assert point.epoch is None or 1 <= point.epoch <= made.study.epochs
        assert "accuracy" not in point.metric or 0 < point.value < 1
        assert point.tolerance is None or 0 < point.tolerance < 0.1


@pytest.mark.parametrize("name", [name for name in RECIPES if name not in OURS])
def test_a_published_experiment_says_what_was_chosen_and_what_it_found(name):
    made = recipe(name)
    assert made.published or made.statements
    assert made.choices
    for sentence in (*made.choices, *made.statements):
        assert sentence.endswith(".")
    if made.study.validation == "test":
        assert any("nothing is chosen on it" in sentence for sentence in made.choices)


def test_what_is_measured_is_of_recipes_that_there_are():
    """The file is written by a script: this holds its form."""
    table = json.loads(files("actlab.recipes").joinpath("measured.json").read_text(encoding="utf-8"))
    times = measured()
    assert set(times) == set(table)
    assert set(times) <= set(RECIPES)
    for name, time in times.items():
        assert time.seconds == table[name]["seconds"] > 0
        assert time.machine == table[name]["machine"] != ""


def test_a_misspelt_recipe_comes_with_the_nearest():
    with pytest.raises(UnknownName, match="did you mean 'parabolas'"):
        recipe("parabola")


def test_recipes_cannot_be_changed():
    with pytest.raises(TypeError):
        RECIPES["mine"] = recipe("digits")  # type: ignore[index]
