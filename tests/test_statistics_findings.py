"""Findings in recordings made up from numbers that a test chooses, and in a few that were really trained."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from scipy.special import expit, softmax
from tests.synthetic_recording import members_of, record, study

from actlab.layers import Act, Conv, Dense, Flatten
from actlab.objectives import BINARY, CLASSES
from actlab.statistics import reported, summarise
from actlab.statistics.findings import findings, within_noise
from actlab.statistics.gradients import gradient_flow, gradient_sizes, quantiles, still_training
from actlab.statistics.linear_folding import collapse, product

DEEP = (Dense(5), Act(), Dense(4), Act(), Dense(3), Act(), Dense(1))
LAYERS = {"weight_layers": ["dense1", "dense2", "dense3", "dense4"], "act_layers": ["act1", "act2", "act3"]}
KEYS = {"code", "severity", "activation", "layer", "step", "sentence", "evidence", "cause", "help"}
# A training cross-entropy of 0.6, where naming the classes' frequencies has 0.69: what learns badly.
BADLY = {"train_loss": 0.6}


# What else is held of a rate that was tried.
UNKNOWN = {"validation_loss": None, "diverged": 0, "members": 3}


def found_in(recording, code):
    return [finding for finding in summarise(recording)["findings"] if finding["code"] == code]


# One matrix for a chain of linear layers.


def chain(tmp_path, layers, activations=("linear",), seeds=2, scale=1.0, **settings):
    """A recording with random weights of networks on two features, and 20 samples."""
    made_up = study(network=layers, activations=activations, seeds=seeds, epochs=1, **settings)
    rng = np.random.default_rng(3)
    arrays = {}
    for name, network in made_up.networks((2,)).items():
        for built in network.layers:
            for parameter, shape in built.parameter_shapes.items():
                weights = scale * rng.normal(size=(2, seeds, *shape))
                arrays[f"weights/{name}/{built.name}/{parameter}"] = weights.astype(np.float32)
    sample = {"x": rng.normal(size=(20, 2)).astype(np.float32), "y": np.arange(20) % 2}
    places = [f"act{i + 1}" for i in range(sum(isinstance(layer, Act) for layer in layers))]
    return record(tmp_path / "run", made_up, arrays=arrays, sample=sample, facts={"act_layers": places})


def test_a_deep_linear_network_predicts_what_one_matrix_does(tmp_path):
    recording = chain(tmp_path, DEEP)
    (finding,) = found_in(recording, "linear_depth")
    assert finding.keys() == KEYS
    assert (finding["severity"], finding["activation"], finding["layer"]) == ("info", "linear", None)
    evidence = finding["evidence"]
    assert evidence["same"]
    assert 0 < evidence["probability"] < 1e-5
    assert (evidence["layers"], evidence["shape"], evidence["samples"], evidence["members"]) == (4, [2, 1], 20, 2)
    assert "its 4 layers, multiplied into one 2 × 1 matrix, predict the same: over 20 samples" in finding["sentence"]


def test_the_product_is_that_of_the_layers_one_by_one(tmp_path):
    recording = chain(tmp_path, (Dense(5), Act(), Dense(4, bias=False), Act(), Dense(3)))
    params = recording.weights(recording.members[1], 1)
    matrix, bias = product(recording.network("linear"), params)
    x = recording.sample["x"].astype(float)
    y = (x @ params["dense1"]["weight"] + params["dense1"]["bias"]) @ params["dense2"]["weight"]
    y = y @ params["dense3"]["weight"] + params["dense3"]["bias"]
    np.testing.assert_allclose(x @ matrix + bias, y, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(CLASSES.probability(y, np, 1), softmax(y, axis=1), rtol=1e-12)
    np.testing.assert_allclose(BINARY.probability(y[:, :1], np, 1), expit(y[:, :1]), rtol=1e-12)
    assert np.isfinite(CLASSES.probability(1e4 * y, np, 1)).all()


def test_a_network_that_is_not_one_matrix_is_not_called_so(tmp_path, monkeypatch):
    """The comparison itself is tried: with a bias left out of the product it must say no."""
    recording = chain(tmp_path, DEEP)
    (entry,) = reported(recording)
    monkeypatch.setattr("actlab.statistics.linear_folding.product", lambda *a: (product(*a)[0], np.zeros(1)))
    assert collapse(recording, entry).probability > 0.01
    (finding,) = found_in(recording, "linear_depth")
    assert finding["severity"] == "warning"
    assert "do not predict the same" in finding["sentence"]


def test_weights_beyond_all_bounds_are_not_called_the_same(tmp_path):
    recording = chain(tmp_path, DEEP, scale=1e12)
    with np.errstate(all="ignore"):
        assert math.isnan(collapse(recording, reported(recording)[0]).probability)
        (finding,) = found_in(recording, "linear_depth")
    assert finding["severity"] == "warning"


@pytest.mark.parametrize(
    ("layers", "activations"),
    [
        (DEEP, ("tanh",)),
        ((Dense(3), Act(), Dense(2), Act("tanh"), Dense(1)), ("linear",)),
        ((Act(), Dense(1)), ("linear",)),
    ],
    ids=["tanh", "tanh inside", "one layer"],
)
def test_no_such_finding_where_there_is_no_chain_of_linear_layers(tmp_path, layers, activations):
    assert not found_in(chain(tmp_path, layers, activations), "linear_depth")


def test_no_such_finding_without_samples_or_weights(tmp_path):
    assert not found_in(record(tmp_path / "run", study(activations=("linear",))), "linear_depth")


# The way of the gradient.


def gradients(recorded, after, before):
    """Probes with the same norms for every epoch and member."""
    rows, columns = recorded.epochs + 1, len(members_of(recorded, {}))
    tile = [np.tile(np.float32(norms), (rows, columns, 1)) for norms in (after, before)]
    return {"activation_gradient_norm": tile[0], "pre_activation_gradient_norm": tile[1]}


def test_the_gradient_is_split_into_what_slope_and_weights_leave(tmp_path):
    made_up = study(network=DEEP, seeds=3)
    recording = record(tmp_path / "run", made_up, facts=LAYERS, arrays=gradients(made_up, [0.5, 2, 8], [0.1, 1, 2]))
    third, second, first = gradient_flow(recording, reported(recording)[0], 4)
    assert (third.layer, second.layer, first.layer) == ("act3", "act2", "act1")
    assert (third.share, third.slope, third.weights, third.step) == (1, 0.25, 1, 0.25)
    assert (second.share, second.slope, second.weights, second.step) == (0.25, 0.5, 0.5, 0.25)
    assert (first.share, first.slope) == (0.0625, pytest.approx(0.2))
    assert math.isnan(first.weights)
    assert math.isnan(first.step)


def test_a_gradient_below_one_per_cent_has_vanished(tmp_path):
    made_up = study(network=DEEP, activations=("sigmoid", "relu"), seeds=3)
    arrays = gradients(made_up, [0.08, 0.8, 4], [0.02, 0.2, 1])
    for name in arrays:
        arrays[name][:, :3, 0] *= 0.1  # sigmoid: 0.2 % where relu has 2 %
        arrays[name][-1, :3, 0] *= 2
    recording = record(tmp_path / "run", made_up, facts=LAYERS, arrays=arrays, metrics=BADLY)
    (finding,) = found_in(recording, "vanishing_gradient")
    assert (finding["severity"], finding["activation"], finding["layer"]) == ("warning", "sigmoid", "act1")
    assert (finding["cause"], finding["help"][:41]) == (None, "Start from weights that carry the gradien")
    assert finding["evidence"]["share"] == {"0": pytest.approx(0.002), "8": pytest.approx(0.004)}
    assert "act1 gets 0.2 % untrained and 0.4 % after epoch 8 of the norm that act3 gets" in finding["sentence"]
    # √(0.25 · 0.25) and √(0.8 / 1 · 0.008 / 0.2).
    assert "leaves a factor of 0.25 and the weights make 0.18 of it (untrained" in finding["sentence"]
    table = finding["evidence"]["passages"]
    assert [(row["epoch"], row["layer"]) for row in table] == [(e, f"act{i}") for e in (0, 8) for i in (3, 2, 1)]
    assert table[2]["weights"] is None


def test_a_vanished_gradient_that_does_no_harm_is_no_warning(tmp_path):
    made_up = study(network=DEEP, activations=("sigmoid",), seeds=3)
    arrays = gradients(made_up, [0.008, 0.8, 4], [0.02, 0.2, 1])
    recording = record(tmp_path / "run", made_up, facts=LAYERS, arrays=arrays)
    (finding,) = found_in(recording, "vanishing_gradient")
    assert (finding["severity"], finding["help"]) == ("info", None)


def test_nothing_at_all_coming_through_has_no_factors(tmp_path):
    made_up = study(network=DEEP, activations=("relu",), seeds=2)
    arrays = gradients(made_up, [0, 0, 4], [0, 0, 1])
    (finding,) = found_in(record(tmp_path / "run", made_up, facts=LAYERS, arrays=arrays), "vanishing_gradient")
    assert finding["sentence"].endswith("act1 gets 0 % untrained and 0 % after epoch 8 of the norm that act3 gets.")


def test_diverged_members_do_not_count_in_the_way_of_the_gradient(tmp_path):
    made_up = study(network=DEEP, activations=("relu",), seeds=3)
    arrays = gradients(made_up, [1, 2, 4], [1, 1, 2])
    for array in arrays.values():
        array[:, 1:] = 7
    diverged = {("relu", 0.05, 1): (5, "lost"), ("relu", 0.05, 2): (0, "lost")}
    recording = record(tmp_path / "run", made_up, facts=LAYERS, arrays=arrays, diverged=diverged)
    (entry,) = reported(recording)
    assert still_training(recording, entry.columns)[4:6].tolist() == [[True, True, False], [True, False, False]]
    assert [step.share for step in gradient_flow(recording, entry, 8)] == [1, 0.5, 0.25]
    assert [step.share for step in gradient_flow(recording, entry, 4)] == [1, 0.75, 0.625]


# The first convolution.


def test_quantiles_of_counted_numbers_are_those_of_the_numbers():
    rng = np.random.default_rng(0)
    values = np.exp(rng.normal(-6, 2, size=100_000))
    edges = np.concatenate([[0], 10 ** np.linspace(-12, 3, 61)])
    found = quantiles(np.histogram(values, edges)[0], edges, (0.1, 0.5, 0.9))
    np.testing.assert_allclose(found, np.quantile(values, (0.1, 0.5, 0.9)), rtol=0.02)
    assert np.isnan(quantiles(np.zeros(61), edges, (0.5,))).all()


def test_the_gradient_at_the_first_convolution(tmp_path):
    made_up = study(network=(Conv(2), Act(), Flatten(), Dense(1)), seeds=2, epochs=2)
    edges = [0.0, 1e-4, 1e-3, 1e-2, 1e-1]
    norms = np.tile(np.float32([0.2, 0.8]), (3, 6, 1))
    norms[:, :2, 0] = 2e-5  # sigmoid
    norms[0] = 9  # untrained: of no account
    counts = np.zeros((3, 6, 2, 4), np.int32)
    counts[:, :2, 0, 0] = 10  # sigmoid: all below 1e-4
    counts[1:, 2:, 0, 2] = 10
    counts[0, 2:, 0, 3] = 1000
    arrays = {"weight_gradient_norm": norms, "weight_gradient_histogram": counts}
    facts = {"gradient_edges": edges, "weight_layers": ["conv1", "dense1"]}
    recording = record(tmp_path / "run", made_up, arrays=arrays, facts=facts)
    (finding,) = found_in(recording, "first_convolution")
    rows = {row["activation"]: row for row in finding["evidence"]["rows"]}
    assert rows["sigmoid"] == {"activation": "sigmoid", "norm": pytest.approx(2e-5), "p10": 0, "p50": 0, "p90": 0}
    assert rows["relu"]["norm"] == pytest.approx(0.2)
    assert [rows["tanh"][q] for q in ("p10", "p50", "p90")] == pytest.approx([10**-2.9, 10**-2.5, 10**-2.1])
    assert finding["layer"] == "conv1"
    assert "tanh 0.2, relu 0.2, sigmoid 2e-05" in finding["sentence"]
    assert "from 0.001 to 0.008 with tanh and from 0 to 0 with sigmoid" in finding["sentence"]
    assert np.isnan(gradient_sizes(recording, reported(recording)[1], 1)).all()


def test_no_convolution_no_such_finding(tmp_path):
    assert not found_in(record(tmp_path / "run"), "first_convolution")


# What is not learnt.


def stubborn(tmp_path, final, arrays=None, accuracy=0.5, **settings):
    made_up = study(activations=("sigmoid", "tanh"), seeds=4, **settings)
    metrics = {
        "train_loss": lambda m: final[m.seed] if m.activation == "sigmoid" else 0.1,
        "train_accuracy": lambda m: accuracy if m.activation == "sigmoid" else 0.9,
    }
    return record(tmp_path / "run", made_up, metrics=metrics, arrays=arrays)


def test_a_network_that_learns_nothing_is_found(tmp_path):
    norms = np.tile(np.float32([0.2, 0.8]), (9, 8, 1))
    norms[:, :4, 0] = 1e-5
    recording = stubborn(tmp_path, [0.70, 0.69, 0.6932, 0.1], {"weight_gradient_norm": norms})
    (finding,) = found_in(recording, "learns_nothing")
    assert (finding["severity"], finding["activation"], finding["layer"]) == ("warning", "sigmoid", "dense1")
    evidence = finding["evidence"]
    assert evidence["cross_entropy"]["class_frequencies"] == pytest.approx(math.log(2))
    assert evidence["cross_entropy"]["last"] == pytest.approx(np.mean([0.70, 0.69, 0.6932, 0.1]))
    assert (evidence["stuck"], evidence["members"]) == (3, 4)
    assert evidence["gradient"] == {"layer": "dense1", "norm": pytest.approx(1e-5), "others": pytest.approx(0.2)}
    assert "with 3 of 4 seeds the training cross-entropy stays above 98 % of" in finding["sentence"]
    assert "The gradient at dense1 is 1e-05, 0.005 % of the 0.2" in finding["sentence"]


def test_half_of_the_seeds_is_not_the_activation(tmp_path):
    recording = stubborn(tmp_path, [0.70, 0.70, 0.5, 0.5])
    assert not found_in(recording, "learns_nothing")


def test_only_the_regulariser_is_learnt_where_the_penalty_falls(tmp_path):
    penalty = np.tile(np.linspace(0.5, 0.1, 9)[:, None], (1, 8)).astype(np.float32)
    recording = stubborn(tmp_path, [0.69] * 4, {"penalty": penalty})
    assert not found_in(recording, "learns_nothing")
    (finding,) = found_in(recording, "only_regulariser")
    assert finding["evidence"]["penalty"] == {"first": pytest.approx(0.5), "last": pytest.approx(0.1)}
    assert "sigmoid learns only its regulariser" in finding["sentence"]
    assert "while the penalty falls from 0.5 to 0.1" in finding["sentence"]


def test_a_penalty_that_rises_is_not_what_is_learnt(tmp_path):
    penalty = np.tile(np.linspace(0.1, 0.5, 9)[:, None], (1, 8)).astype(np.float32)
    recording = stubborn(tmp_path, [0.69] * 4, {"penalty": penalty})
    (finding,) = found_in(recording, "learns_nothing")
    assert finding["evidence"]["penalty"] == {"first": pytest.approx(0.1), "last": pytest.approx(0.5)}


@pytest.mark.parametrize(("accuracy", "found"), [(0.5, True), (0.52, True), (0.53, False), (0.98, False)])
def test_a_loss_of_guessing_is_no_guessing_where_the_accuracy_is_high(tmp_path, accuracy, found):
    """Two classes of 100 samples: a twentieth of the way from one half to all right is 0.525."""
    recording = stubborn(tmp_path, [0.70] * 4, accuracy=accuracy)
    assert bool(found_in(recording, "learns_nothing")) is found


def test_what_mostly_diverged_tells_nothing_of_its_gradient_at_the_end(tmp_path):
    """Untrained all seeds are there; after the last epoch one of four is, with hardly any gradient left."""
    made_up = study(network=DEEP, activations=("relu",), seeds=4)
    arrays = gradients(made_up, [0.5, 2, 8], [0.1, 1, 2])
    arrays["activation_gradient_norm"][-1, :, 0] = 1e-20
    diverged = {("relu", 0.05, seed): (3, "lost") for seed in range(3)}
    few = record(tmp_path / "few", made_up, facts=LAYERS, arrays=arrays, diverged=diverged)
    assert not found_in(few, "vanishing_gradient")
    arrays = gradients(made_up, [0.5, 2, 8], [0.1, 1, 2])
    arrays["activation_gradient_norm"][-1, :, 0] = 1e-20
    assert found_in(record(tmp_path / "all", made_up, facts=LAYERS, arrays=arrays), "vanishing_gradient")


def test_what_had_been_learnt_and_comes_apart_is_told_as_such(tmp_path):
    """Nine epochs: three members fall to 0.2, 0.3 and 0.4 and then rise, or have no loss any more; one stays low."""
    curves = [
        [0.7, 0.5, 0.3, 0.2, 0.9, 1e9, 1e9, 1e9, 1e9],
        [0.7, 0.5, 0.3, 0.5, 0.6, 0.6, 0.9, math.nan, math.nan],
        [0.7, 0.6, 0.5, 0.4, 0.4, 0.4, 0.4, 0.4, 2.0],
        [0.7, 0.5, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3],
    ]
    recording = stubborn(tmp_path, [np.array(curve) for curve in curves])
    assert not found_in(recording, "learns_nothing")
    (finding,) = found_in(recording, "comes_apart")
    assert (finding["severity"], finding["activation"]) == ("warning", "sigmoid")
    evidence = finding["evidence"]
    assert (evidence["members"], evidence["apart"], evidence["not_finite"]) == (4, 3, 1)
    assert evidence["best"] == pytest.approx(0.3)
    assert evidence["first_epoch"] == 4
    assert "with 3 of 4 seeds the training cross-entropy falls at first, to 0.3" in finding["sentence"]


def test_what_stays_learnt_does_not_come_apart(tmp_path):
    recording = stubborn(tmp_path, [np.linspace(0.7, end, 9) for end in (0.8, 0.75, 0.2, 0.2)])
    assert not found_in(recording, "comes_apart")


def test_frequencies_of_classes_are_the_measure(tmp_path):
    """With one class in twenty, guessing the frequencies reaches 0.1985 and 0.3 is nothing learnt."""
    made_up = study(activations=("sigmoid",), seeds=2)
    facts = {"class_counts": [95, 5]}
    metrics = {"train_loss": 0.3, "train_accuracy": 0.95, "train_balanced_accuracy": 0.5}
    recording = record(tmp_path / "run", made_up, metrics=metrics, facts=facts)
    (finding,) = found_in(recording, "learns_nothing")
    assert finding["evidence"]["cross_entropy"]["class_frequencies"] == pytest.approx(0.198515, rel=1e-4)
    assert "gradient" not in finding["evidence"]


def test_a_rare_class_that_is_found_is_something_learnt(tmp_path):
    """The accuracy is below that of always naming the frequent class, and nine of ten of either class are right."""
    facts = {"class_counts": [95, 5]}
    metrics = {"train_loss": 0.3, "train_accuracy": 0.9, "train_balanced_accuracy": 0.9}
    made_up = study(activations=("sigmoid",), seeds=2)
    assert not found_in(record(tmp_path / "run", made_up, metrics=metrics, facts=facts), "learns_nothing")


def test_where_all_diverged_nothing_else_is_found(tmp_path):
    diverged = {("sigmoid", 0.05, seed): (1 + seed, "lost") for seed in range(2)}
    recording = record(tmp_path / "run", study(activations=("sigmoid",), seeds=2), diverged=diverged)
    (finding,) = summarise(recording)["findings"]
    assert finding["code"] == "rate_too_high"
    assert finding["sentence"] == (
        "sigmoid: 2 of 2 seeds diverge at the learning rate 0.05, the first at epoch 1: it is too high."
    )


@pytest.mark.parametrize(
    ("tried", "said"), [([0.05, 0.005], "Rates down to 0.005 were tried"), ([0.05], "Take a tenth")]
)
def test_a_rate_that_was_chosen_from_lower_ones_is_not_to_be_lowered(tmp_path, tried, said):
    diverged = {("sigmoid", 0.05, seed): (1 + seed, "lost") for seed in range(2)}
    tuning = [{"activation": "sigmoid", "init": "stated", "learning_rate": rate} | UNKNOWN for rate in tried]
    made_up = study(activations=("sigmoid",), seeds=2)
    recording = record(tmp_path / "run", made_up, diverged=diverged, facts={"tuning": tuning})
    (finding,) = found_in(recording, "rate_too_high")
    assert finding["help"].startswith(said)


def test_half_of_the_seeds_that_diverge_are_not_the_activation(tmp_path):
    diverged = {("sigmoid", 0.05, 0): (1, "lost")}
    recording = record(tmp_path / "run", study(activations=("sigmoid",), seeds=2), diverged=diverged)
    assert not found_in(recording, "rate_too_high")


# Likeness.


def comparison(a, b, difference, interval, metric="test_accuracy", p=1.0):
    told = {"ci95_simultaneous": interval, "ci95_new_data": None, "p_max_t": p, "told_apart": p <= 0.05}
    return {"a": a, "b": b, "metric": metric, "difference": difference, "pairs": 12} | told


def test_pairs_are_told_apart_by_the_test_of_all_of_them():
    rows = [
        comparison("elu", "relu", 0.002, (-0.001, 0.003), p=0.06),
        comparison("elu", "sigmoid", 0.6, (0.55, 0.65), p=0.002),
        comparison("relu", "sigmoid", 0.598, (0.5, 0.7), p=0.05),
        comparison("elu", "relu", 9.0, (8.0, 10.0), "test_loss"),
    ]
    finding = within_noise(rows, ["elu", "relu", "sigmoid"])
    assert finding["sentence"] == (
        "Paired differences in test accuracy, in points (all 3 pairs asked at once), not told apart by 12 seeds: elu − "
        "relu +0.20; told apart: relu − sigmoid +59.80 and elu − sigmoid +60.00."
    )
    assert [row["within_noise"] for row in finding["evidence"]["pairs"]] == [True, False, False]


def test_where_no_test_can_succeed_nothing_is_said_of_pairs():
    rows = [comparison("elu", "relu", 0.2, (0.1, 0.3)) | {"pairs": 5}]
    assert within_noise(rows, ["elu", "relu"]) is None


def test_of_many_activations_the_rectifiers_are_compared():
    names = ["gelu", "elu", "mish", "leaky_relu", "tanh", "relu"]
    rows = [comparison(a, b, 0.0, (-0.1, 0.1)) for i, a in enumerate(names) for b in names[i + 1 :]]
    finding = within_noise(rows, names)
    pairs = {(row["a"], row["b"]) for row in finding["evidence"]["pairs"]}
    assert pairs == {("elu", "leaky_relu"), ("elu", "relu"), ("leaky_relu", "relu")}
    assert finding["sentence"].startswith("Paired differences in test accuracy between elu, leaky_relu and relu, in ")
    assert within_noise(rows, ["gelu", "mish", "tanh", "silu", "selu", "relu"]) is None


def test_one_seed_has_no_noise_to_compare_with(tmp_path):
    assert not found_in(record(tmp_path / "run", study(seeds=1)), "within_noise")


def test_more_pairs_than_can_be_told_are_counted():
    names = ["a", "b", "c", "d", "e"]
    rows = [comparison(a, b, 0.01, (-0.1, 0.1)) for i, a in enumerate(names) for b in names[i + 1 :]]
    assert within_noise(rows, names)["sentence"].endswith("and 7 pairs more.")


def test_the_rectifiers_are_told_first_then_the_closest():
    names = ["elu", "tanh", "leaky_relu", "relu", "sigmoid"]
    rows = [
        comparison(a, b, 0.1 * (i + j), (0.01, 0.9)) for i, a in enumerate(names) for j, b in enumerate(names[i + 1 :])
    ]
    told = within_noise(rows, names)["evidence"]["pairs"]
    assert {frozenset((row["a"], row["b"])) for row in told[:3]} == {
        frozenset(pair) for pair in (("elu", "relu"), ("elu", "leaky_relu"), ("leaky_relu", "relu"))
    }
    sizes = [row["difference"] for row in told]
    assert sizes[3:] == sorted(sizes[3:])


# Really trained.


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Five layers of sigmoid and of nothing on the digits, and the batch that the probes look at."""
    from actlab import engine, tasks
    from actlab.plan.evaluation import prepare
    from actlab.study import Study, complete

    layers = [Flatten(), *[Dense(16), Act()] * 5, Dense(10)]
    task = tasks.load("digits")
    made_up = complete(Study(network=layers, activations=["sigmoid", "linear"], seeds=2, epochs=1), task)
    probe = prepare(made_up, task).probe
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("actlab.plan.population.SMALL", 1)
        return engine.train(made_up, tmp_path_factory.mktemp("trained") / "run", task=task), probe


def test_the_way_of_the_gradient_is_that_of_pytorch(trained):
    torch = pytest.importorskip("torch")
    recording, probe = trained
    entry = next(entry for entry in reported(recording) if entry.activation == "sigmoid")
    ways, sizes = [], []
    for member in entry.members:
        a, kept, matrices = torch.tensor(probe["x"]).reshape(len(probe["x"]), -1), [], []
        for layer in recording.weight_layers:
            own = {name: torch.tensor(value) for name, value in recording.weights(member, 1)[layer].items()}
            matrices.append(own["weight"].requires_grad_())
            z = a @ own["weight"] + own["bias"]
            a = torch.sigmoid(z)
            for tensor in (z, a):
                tensor.retain_grad()
            kept.append((z, a))
        loss = torch.nn.functional.cross_entropy(kept[-1][0], torch.tensor(probe["y"]).long())
        loss.backward()
        ways.append([[float(tensor.grad.norm()) for tensor in pair] for pair in kept[:-1]])
        sizes.append([matrix.grad.abs().numpy() for matrix in matrices])
    before, after = np.moveaxis(np.array(ways), -1, 0)
    steps = list(reversed(gradient_flow(recording, entry, 1)))
    np.testing.assert_allclose([s.share for s in steps], np.median(after / after[:, -1:], axis=0), rtol=1e-4)
    np.testing.assert_allclose([s.slope for s in steps], np.median(before / after, axis=0), rtol=1e-4)
    np.testing.assert_allclose(
        [s.weights for s in steps[1:]], np.median(after[:, :-1] / before[:, 1:], axis=0), rtol=1e-4
    )
    for layer in range(len(recording.weight_layers)):
        exact = np.quantile(np.concatenate([own[layer].ravel() for own in sizes]), (0.1, 0.5, 0.9))
        # Within a bin, a factor of 1.8 wide, where a number lies is not known.
        np.testing.assert_allclose(gradient_sizes(recording, entry, layer), exact, rtol=0.25)


def test_findings_of_networks_that_were_trained(trained):
    found = {(finding["code"], finding["activation"]): finding for finding in summarise(trained[0])["findings"]}
    assert found["linear_depth", "linear"]["evidence"]["same"]
    assert found["linear_depth", "linear"]["evidence"]["layers"] == 6
    assert found["vanishing_gradient", "sigmoid"]["evidence"]["share"]["0"] < 0.01
    assert ("vanishing_gradient", "linear") not in found


# All of them.


def test_nothing_is_found_before_an_epoch_was_trained(tmp_path):
    for last_epoch in (-1, 0):
        made = record(tmp_path / str(last_epoch), last_epoch=last_epoch, complete=False)
        assert summarise(made)["findings"] == []


def test_findings_survive_json_and_warnings_come_first(tmp_path):
    made_up = study(network=DEEP, activations=("sigmoid", "relu"), seeds=6)
    arrays = gradients(made_up, [0.001, 0.8, 4], [0.02, 0.2, 1])
    summary = summarise(record(tmp_path / "run", made_up, facts=LAYERS, arrays=arrays, metrics=BADLY))
    assert json.loads(json.dumps(summary["findings"], allow_nan=False)) == summary["findings"]
    severities = [finding["severity"] for finding in summary["findings"]]
    assert severities == ["warning", "warning", "info"]
    assert all(finding.keys() == KEYS for finding in summary["findings"])


def test_a_recording_without_gradients_has_no_finding_of_them(tmp_path):
    recording = record(tmp_path / "run", study(network=DEEP), facts=LAYERS)
    assert {finding["code"] for finding in findings(recording, reported(recording), [])} == set()
