"""What is wrong with networks: each rule in recordings made for it, at its boundary, and a few real trainings."""

from __future__ import annotations

import math

import numpy as np
import pytest
from tests.synthetic_recording import members_of, record, study

from actlab.layers import Act, BatchNorm, Conv, Dense, Flatten, Residual, Scale
from actlab.statistics import reported, summarise
from actlab.statistics.findings.labels import neighbour_vote
from actlab.statistics.findings.start import units_equal
from actlab.statistics.findings.units import dead_among_samples
from actlab.tasks.scale import scale_of

ENTROPY = math.log(2)
BADLY = {"train_loss": 0.9 * ENTROPY, "validation_loss": 0.9 * ENTROPY}
ONE = {"activations": ("relu",), "seeds": 3}


def warnings(recording):
    """Code → finding, in the order in which they are told."""
    found = [finding for finding in summarise(recording)["findings"] if finding["severity"] == "warning"]
    return {finding["code"]: finding for finding in found}


def everywhere(recorded, values):
    """The same numbers (places,) for every epoch and member."""
    return np.tile(np.float32(values), (recorded.epochs + 1, len(members_of(recorded, {})), 1))


def test_a_network_that_learns_has_no_warning(tmp_path):
    assert warnings(record(tmp_path / "run")) == {}


# The inputs.


def inputs(**known):
    return {"inputs": {"rms": 1.0, "column_rms": 1.5, "spread": 1.0, "minimum": -3.0, "maximum": 3.0} | known}


@pytest.mark.parametrize(
    ("known", "said"),
    [
        ({}, None),
        ({"rms": 0.3, "column_rms": 0.5, "spread": 0.28}, None),
        ({"column_rms": 99.0}, None),
        ({"column_rms": 101.0}, "far too large: the root of a feature's mean square is up to 101"),
        ({"rms": 0.011, "column_rms": 0.02, "spread": 0.01}, None),
        ({"rms": 0.009, "column_rms": 0.02, "spread": 0.008}, "far too small: the root of their mean square is 0.009"),
        ({"rms": 31.1, "column_rms": 31.1, "spread": 1.0}, "lie far from zero: they spread by 1 around values of the"),
        ({"rms": 29.9, "column_rms": 29.9, "spread": 1.0}, None),
    ],
)
def test_inputs_far_from_unit_scale_are_found(tmp_path, known, said):
    found = warnings(record(tmp_path / "run", facts=inputs(**known)))
    assert found.keys() == ({"inputs_off_scale"} if said else set())
    if said:
        finding = found["inputs_off_scale"]
        assert said in finding["sentence"]
        assert (finding["activation"], finding["cause"]) == (None, None)
        assert finding["help"]


@pytest.mark.parametrize(
    ("layers", "found"),
    [
        ((Dense(3), Act(), Dense(1)), True),
        ((BatchNorm(), Dense(3), Act(), Dense(1)), False),
        ((Dense(3), BatchNorm(), Act(), Dense(1)), False),
        ((Dense(3), Act(), BatchNorm(), Dense(1)), True),
        ((Scale(0.001), Dense(3), Act(), Dense(1)), False),
    ],
)
def test_inputs_count_as_the_first_weights_get_them(tmp_path, layers, found):
    recording = record(tmp_path / "run", study(network=layers), facts=inputs(rms=900.0, column_rms=1000.0, spread=900))
    assert bool(warnings(recording)) is found


def test_without_the_fact_the_recorded_samples_say_it(tmp_path):
    x = np.random.default_rng(0).normal(size=(30, 2)).astype(np.float32)
    for factor, found in ((1, set()), (1000, {"inputs_off_scale"})):
        sample = {"x": factor * x, "y": np.arange(30) % 2}
        assert warnings(record(tmp_path / str(factor), sample=sample)).keys() == found


def test_the_scale_of_many_samples_is_that_of_some_of_them():
    x = np.random.default_rng(0).normal(3, 2, size=(40_000, 2, 1, 1))
    found = scale_of(x)
    assert found["rms"] == pytest.approx(np.sqrt(np.mean(x**2)), rel=0.03)
    assert found["spread"] == pytest.approx(2, rel=0.03)


# The start.


def untrained(tmp_path, change, **settings):
    """Networks 2-3-3-1 with random weights, those of epoch 0 changed by `change(weights by layer)`."""
    layers = (Dense(3), Act(), Dense(3), Act(), Dense(1))
    made_up = study(network=layers, epochs=2, **(ONE | settings))
    rng = np.random.default_rng(1)
    shapes = {"dense1": (2, 3), "dense2": (3, 3), "dense3": (3, 1)}
    weights = {name: rng.normal(size=(3, 3, *shape)).astype(np.float32) for name, shape in shapes.items()}
    change(weights)
    arrays = {f"weights/relu/{name}/weight": array for name, array in weights.items()}
    arrays |= {f"weights/relu/{name}/bias": np.zeros((3, 3, s[1]), np.float32) for name, s in shapes.items()}
    facts = {"weight_layers": list(shapes), "act_layers": ["act1", "act2"]}
    return record(tmp_path / "run", made_up, arrays=arrays, facts=facts)


def test_weights_of_zero_leave_units_alike(tmp_path):
    def change(weights):
        for own in weights.values():
            own[0] = 0

    finding = warnings(untrained(tmp_path, change))["units_alike"]
    assert "the weights of 3 layers (dense1, dense2, dense3) start at zero" in finding["sentence"]
    assert finding["evidence"] == {
        "layers": ["dense1", "dense2"],
        "zero": ["dense1", "dense2", "dense3"],
        "members": 3,
    }


def test_units_with_equal_weights_in_and_out_are_alike(tmp_path):
    def change(weights):
        weights["dense1"][0] = weights["dense1"][0][..., :1]
        weights["dense2"][0] = weights["dense2"][0][:, :1]

    finding = warnings(untrained(tmp_path, change))["units_alike"]
    assert finding["evidence"]["layers"] == ["dense1"]
    assert finding["evidence"]["zero"] == []


def test_weights_that_would_fill_the_memory_are_not_read(tmp_path, monkeypatch):
    def change(weights):
        for own in weights.values():
            own[0] = 0

    recording = untrained(tmp_path, change)
    assert warnings(recording)
    # Three members of 9 parameters, by their fact, of four bytes each.
    monkeypatch.setattr("actlab.statistics.findings.course.WEIGHT_BYTES", 107)
    assert warnings(recording) == {}
    monkeypatch.setattr("actlab.statistics.findings.course.WEIGHT_BYTES", 108)
    assert warnings(recording)


@pytest.mark.parametrize("layer", ["dense1", "dense2", "dense3"])
def test_one_layer_of_zeros_is_a_custom(tmp_path, layer):
    """Such as a last layer that starts at zero: what is random beside it tells the units apart."""

    def change(weights):
        weights[layer][0] = 0

    assert warnings(untrained(tmp_path, change)) == {}


def test_one_member_of_three_is_not_the_activation(tmp_path):
    def change(weights):
        for own in weights.values():
            own[0, 0] = 0

    assert warnings(untrained(tmp_path, change)) == {}


def test_channels_are_alike_whatever_lies_behind_each_place_of_the_image():
    """A convolution of 2 channels, flattened from 3 places: rows 0, 2, 4 of the next matrix are of the first one."""
    before = np.ones((1, 3, 3, 1, 2))
    after = np.repeat(np.arange(3.0), 2)[None, :, None] * np.ones((1, 6, 4))
    assert units_equal(before, after).tolist() == [True]
    after[0, 1] += 1
    assert units_equal(before, after).tolist() == [False]
    assert units_equal(before, np.ones((1, 5, 4))).tolist() == [False]


@pytest.mark.parametrize(
    ("first", "last", "found"), [(3.1, 0.6, True), (2.9, 0.6, False), (3.1, 0.2, True), (9.0, 0.09, False)]
)
def test_an_untrained_network_that_is_too_sure_started_too_large(tmp_path, first, last, found):
    """Losses in units of log 2, what a network that knows nothing has."""
    losses = ENTROPY * np.linspace(first, last, 9)
    metrics = {"train_loss": lambda m: losses, "validation_loss": 0.5}
    assert ("start_too_large" in warnings(record(tmp_path / "run", study(**ONE), metrics=metrics))) is found


def test_a_rare_class_makes_no_start_too_large(tmp_path):
    """Of an entropy of 0.2, log 2 is three times: what an untrained network has that gives both classes a half."""
    facts = {"class_counts": [190, 10]}
    metrics = {"train_loss": lambda m: np.linspace(0.7, 0.15, 9), "validation_loss": 0.15, "train_accuracy": 0.96}
    metrics |= {"validation_accuracy": 0.96}
    assert warnings(record(tmp_path / "run", study(**ONE), metrics=metrics, facts=facts)) == {}


# The learning rate.


def moving(tmp_path, ratios, metrics=BADLY, batches=10, **arrays):
    """Three weight layers with these ‖ΔW‖/‖W‖ at every epoch, or at each of the nine."""
    made_up = study(**ONE)
    values = np.float32(ratios)
    arrays["update_ratio"] = np.broadcast_to(values.reshape(-1, 1, 3) if values.ndim > 1 else values, (9, 3, 3)).astype(
        np.float32
    )
    arrays |= {"weight_gradient_norm": np.ones((9, 3, 3), np.float32)}
    facts = {"samples": {"train": batches * made_up.batch, "validation": 100, "test": 100}}
    facts |= {"weight_layers": ["dense1", "dense2", "dense3"], "act_layers": ["act1"]}
    return record(tmp_path / "run", made_up, metrics=metrics, arrays=arrays, facts=facts)


@pytest.mark.parametrize(
    ("ratios", "found"),
    [
        ([[0.41] * 3] + [[0.01] * 3] * 8, True),
        ([[0.39] * 3] + [[0.01] * 3] * 8, False),
        # A layer that starts near zero moves by any multiple of it.
        ([[0.01, 0.01, 50.0]] + [[0.01] * 3] * 8, False),
        ([[0.01] * 3] * 4 + [[0.5] * 3] + [[0.01] * 3] * 4, False),
        ([[0.11] * 3] * 9, True),
        ([[0.09] * 3] * 9, False),
    ],
)
def test_steps_that_are_large_beside_the_weights(tmp_path, ratios, found):
    assert ("rate_too_high" in warnings(moving(tmp_path, ratios))) is found


def test_a_large_step_that_does_no_harm_is_none_too_large(tmp_path):
    learnt = {"train_loss": 0.09 * ENTROPY, "validation_loss": 0.1}
    assert warnings(moving(tmp_path, [[0.9] * 3] + [[0.01] * 3] * 8, learnt)) == {}


def test_a_loss_that_rises_far_above_its_start(tmp_path):
    for highest, found in ((2.1, {"rate_too_high"}), (1.9, set())):
        losses = ENTROPY * np.array([1.0, highest, 1, 1, 1, 1, 0.9, 0.9, 0.9])
        metrics = {"train_loss": lambda m, losses=losses: losses, "validation_loss": 0.9 * ENTROPY}
        made = record(tmp_path / str(highest), study(**ONE), metrics=metrics)
        assert warnings(made).keys() == found
        if found:
            assert "the training loss rises from 1 to 2.1 times that" in warnings(made)["rate_too_high"]["sentence"]


def test_units_that_die_while_training_died_of_the_rate(tmp_path):
    dead = np.zeros((9, 3, 1), np.float32)
    dead[2:] = 0.95
    found = warnings(record(tmp_path / "run", study(**ONE), metrics=BADLY, arrays={"dead_share": dead}))
    assert list(found) == ["rate_too_high", "dead_units"]
    assert "95 % of the units at act1 die, of which 0 % were dead untrained" in found["rate_too_high"]["sentence"]
    assert found["dead_units"]["cause"] == "rate_too_high"
    assert found["dead_units"]["sentence"].endswith("This follows from a learning rate that is too high.")


@pytest.mark.parametrize(("ratio", "found"), [(6.2e-4, True), (6.3e-4, False), (0, False)])
def test_weights_that_hardly_move(tmp_path, ratio, found):
    """Eight epochs of ten steps: 80 · 6.25e-4 = 0.05 in the layer that moves most."""
    recording = moving(tmp_path, [ratio / 3, ratio, ratio / 2])
    assert ("rate_too_low" in warnings(recording)) is found
    if found:
        finding = warnings(recording)["rate_too_low"]
        assert finding["evidence"]["moved"] == pytest.approx(80 * ratio)
        assert finding["help"] == "Train longer, or take a learning rate some 100 times as high."


def test_what_learns_with_small_steps_is_left_in_peace(tmp_path):
    assert warnings(moving(tmp_path, [1e-5] * 3, {"train_loss": 0.1, "validation_loss": 0.1})) == {}


def test_weights_that_cannot_move_do_not_want_a_higher_rate(tmp_path):
    """All units dead from the start: no gradient moves the weights, at no rate."""
    found = warnings(moving(tmp_path, [1e-6] * 3, dead_share=np.ones((9, 3, 1), np.float32)))
    assert list(found) == ["dead_units"]
    assert found["dead_units"]["evidence"]["from_the_start"]


def test_where_a_signal_reaches_the_output_the_rate_is_the_cause_and_not_the_gradient(tmp_path):
    made_up = study(**ONE)
    for spread, first in ((0.2, "rate_too_low"), (1e-6, "vanishing_gradient")):
        arrays = {
            "update_ratio": np.full((9, 3, 3), 1e-6, np.float32),
            "activation_gradient_norm": everywhere(made_up, [1e-4, 1.0]),
            "pre_activation_gradient_norm": everywhere(made_up, [1e-4, 1.0]),
            "activation_std": everywhere(made_up, [0.5, spread]),
            "dead_share": everywhere(made_up, [0.0, 0.0]),
            "flat_share": everywhere(made_up, [0.0, 0.0]),
        }
        facts = {"weight_layers": ["dense1", "dense2", "dense3"], "act_layers": ["act1", "act2"]}
        found = warnings(record(tmp_path / first, made_up, metrics=BADLY, arrays=arrays, facts=facts))
        assert next(iter(found)) == first


# Width.

TEN = {"classes": [str(i) for i in range(10)], "class_counts": [20] * 10}
POOR_OF_TEN = {"train_loss": 2.0, "validation_loss": 2.0}


def of_ten(directory, layers, metrics, input_shape=(8,)):
    """A recording of a network for ten classes."""
    made_up = study(network=layers, **ONE)
    network = made_up.networks(input_shape)["relu"]
    facts = TEN | {"weight_layers": network.weight_layers, "act_layers": network.act_layers}
    arrays = {"class_accuracy": np.full((9, 3, 10), 0.5, np.float32)}
    facts |= {"input_shape": list(input_shape)}
    return record(directory, made_up, metrics=metrics, facts=facts, arrays=arrays)


@pytest.mark.parametrize(
    ("layers", "layer"),
    [
        ((Dense(8), Act(), Dense(1), Act(), Dense(8), Act(), Dense(10)), "dense2"),
        ((Dense(3), Act(), Dense(8), Act(), Dense(10)), "dense1"),
        ((Dense(4), Act(), Dense(8), Act(), Dense(10)), None),
        ((Dense(8), Act(), Residual([Dense(1), Act(), Dense(8)]), Dense(10)), None),
    ],
    ids=["one unit", "three units of ten classes", "four units", "a way around"],
)
def test_a_layer_too_narrow_for_the_classes(tmp_path, layers, layer):
    found = warnings(of_ten(tmp_path / "run", layers, POOR_OF_TEN)).get("narrow_layer")
    assert (found and found["layer"]) == layer


def test_a_narrow_layer_that_learns_is_left_in_peace(tmp_path):
    layers = (Dense(8), Act(), Dense(2), Act(), Dense(10))
    metrics = {"train_loss": 0.2, "validation_loss": 0.3}
    assert warnings(of_ten(tmp_path / "run", layers, metrics)) == {}


def test_a_convolution_is_no_bottleneck(tmp_path):
    layers = (Conv(1), Act(), Flatten(), Dense(8), Act(), Dense(10))
    assert "narrow_layer" not in warnings(of_ten(tmp_path / "run", layers, POOR_OF_TEN, (4, 4, 1)))


# Units.


@pytest.mark.parametrize(("share", "found"), [(0.51, True), (0.5, False)])
def test_more_than_half_of_a_layer_dead(tmp_path, share, found):
    arrays = {"dead_share": np.full((9, 3, 1), share, np.float32)}
    recording = record(tmp_path / "run", study(**ONE), metrics=BADLY, arrays=arrays)
    assert warnings(recording).keys() == ({"dead_units"} if found else set())
    learnt = record(tmp_path / "learnt", study(**ONE), arrays=arrays)
    assert warnings(learnt) == {}


def test_units_that_fire_for_one_sample_of_many_are_not_dead(tmp_path):
    """Flat for all of the probe batch, by the measure; alive for the one sample of 500 at (1, 1)."""
    x = np.full((500, 2), -1.0, np.float32)
    x[77] = 1
    made_up = study(network=(Dense(4), Act(), Dense(1)), epochs=1, **ONE)
    arrays = {
        "dead_share": np.ones((2, 3, 1), np.float32),
        "weights/relu/dense1/weight": np.ones((2, 3, 2, 4), np.float32),
        "weights/relu/dense1/bias": np.zeros((2, 3, 4), np.float32),
        "weights/relu/dense2/weight": np.arange(24, dtype=np.float32).reshape(2, 3, 4, 1),
        "weights/relu/dense2/bias": np.zeros((2, 3, 1), np.float32),
    }
    y = np.arange(500) % 2
    alive = record(tmp_path / "alive", made_up, metrics=BADLY, arrays=arrays, sample={"x": x, "y": y})
    (entry,) = reported(alive)
    assert dead_among_samples(alive, entry, "act1") == (0.0, 500)
    assert "dead_units" not in warnings(alive)
    dead = record(tmp_path / "dead", made_up, metrics=BADLY, arrays=arrays, sample={"x": -np.abs(x), "y": y})
    assert "for all of 500 samples" in warnings(dead)["dead_units"]["sentence"]
    assert dead_among_samples(record(tmp_path / "bare", made_up), entry, "act1") is None


# Labels.


def learning(train, validation, **more):
    return BADLY | {"train_accuracy": train, "validation_accuracy": validation} | more


@pytest.mark.parametrize(("train", "found"), [(0.79, True), (0.81, False)])
def test_new_samples_right_far_more_often_than_those_trained_on(tmp_path, train, found):
    """Of 1000 samples, three standard errors are 0.03."""
    facts = {"samples": {"train": 1000, "validation": 1000, "test": 1000}}
    metrics = learning(lambda m: np.full(9, train), lambda m: np.full(9, 0.9))
    recording = record(tmp_path / "run", study(**ONE), metrics=metrics, facts=facts)
    assert warnings(recording).keys() == ({"labels_unlearnable"} if found else set())


def test_test_data_are_looked_at_after_the_last_epoch_alone(tmp_path):
    """Ahead at the fourth epoch, and not at the last."""
    facts = {"samples": {"train": 1000, "validation": 1000, "test": 1000}}
    metrics = learning(lambda m: np.array([0.5] * 4 + [0.9] * 5), lambda m: np.full(9, 0.9))
    held_out = record(tmp_path / "held-out", study(**ONE), metrics=metrics, facts=facts)
    assert warnings(held_out)["labels_unlearnable"]["evidence"]["epoch"] == 1
    tested = record(tmp_path / "test", study(validation="test", **ONE), metrics=metrics, facts=facts)
    assert warnings(tested) == {}


def test_few_new_samples_are_right_by_luck(tmp_path):
    facts = {"samples": {"train": 100, "validation": 30, "test": 30}}
    metrics = learning(lambda m: np.full(9, 0.75), lambda m: np.full(9, 0.9))
    assert warnings(record(tmp_path / "run", study(**ONE), metrics=metrics, facts=facts)) == {}


def points(mixed):
    """Two clouds of 60 points far from each other, with their own labels or with mixed ones."""
    rng = np.random.default_rng(2)
    y = np.repeat([0, 1], 60)
    x = (10 * y[:, None] + rng.normal(size=(120, 2))).astype(np.float32)
    return {"x": x, "y": rng.permutation(y) if mixed else y}


@pytest.mark.parametrize(("accuracy", "mixed", "found"), [(0.69, True, True), (0.71, True, False), (0.6, False, False)])
def test_labels_that_neither_network_nor_neighbours_can_tell(tmp_path, accuracy, mixed, found):
    """Two fifths of the way from a half to one is 0.7."""
    metrics = learning(lambda m: np.full(9, 0.95), lambda m: np.full(9, accuracy))
    recording = record(tmp_path / "run", study(**ONE), metrics=metrics, sample=points(mixed))
    assert warnings(recording).keys() == ({"labels_unlearnable"} if found else set())


def test_a_rare_class_that_is_hard_to_tell_is_no_noise(tmp_path):
    facts = {"class_counts": [180, 20]}
    metrics = {"train_loss": 0.25, "validation_loss": 0.3, "train_accuracy": 0.92, "validation_accuracy": 0.91}
    recording = record(tmp_path / "run", study(**ONE), metrics=metrics, facts=facts, sample=points(mixed=True))
    assert "labels_unlearnable" not in warnings(recording)


def test_the_vote_of_neighbours_is_that_of_scikit_learn():
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.preprocessing import StandardScaler

    rng = np.random.default_rng(4)
    y = rng.integers(0, 2, 200)
    x = rng.normal(size=(200, 3)) * [1, 50, 0.01] + y[:, None] * [1, 50, 0.01]
    scaled = StandardScaler().fit_transform(x)
    right = []
    for own in range(200):
        others = np.arange(200) != own
        neighbours = KNeighborsClassifier(10).fit(scaled[others], y[others])
        right.append(neighbours.predict(scaled[own : own + 1])[0] == y[own])
    assert neighbour_vote(x, y) == pytest.approx(np.mean(right), abs=1e-12)
    assert math.isnan(neighbour_vote(x[:15], y[:15]))


# Causes before what follows.


def test_what_is_wrong_with_the_inputs_comes_first_and_the_rest_follows(tmp_path):
    arrays = {"dead_share": np.ones((9, 3, 1), np.float32)}
    metrics = {"train_loss": ENTROPY, "train_accuracy": 0.5, "validation_accuracy": 0.5, "validation_loss": 1.0}
    facts = inputs(rms=900.0, column_rms=1000.0, spread=900.0)
    found = warnings(record(tmp_path / "run", study(**ONE), metrics=metrics, arrays=arrays, facts=facts))
    assert list(found) == ["inputs_off_scale", "dead_units", "learns_nothing"]
    assert [finding["cause"] for finding in found.values()] == [None, "inputs_off_scale", "inputs_off_scale"]
    assert [bool(finding["help"]) for finding in found.values()] == [True, False, False]


def test_of_each_activation_the_cause_is_its_own(tmp_path):
    made_up = study(activations=("relu", "tanh"), seeds=3)
    ratios = np.full((9, 6, 2), 1e-6, np.float32)
    ratios[:, 3:] = 0.01
    ratios[0, 3:] = 2
    metrics = {"train_loss": ENTROPY, "train_accuracy": 0.5, "validation_accuracy": 0.5, "validation_loss": 1.0}
    summary = summarise(record(tmp_path / "run", made_up, metrics=metrics, arrays={"update_ratio": ratios}))
    told = [(f["activation"], f["code"], f["cause"]) for f in summary["findings"] if f["severity"] == "warning"]
    assert sorted(told) == [
        ("relu", "learns_nothing", "rate_too_low"),
        ("relu", "rate_too_low", None),
        ("tanh", "learns_nothing", "rate_too_high"),
        ("tanh", "rate_too_high", None),
    ]
    for name in ("relu", "tanh"):
        assert [code for own, code, _ in told if own == name][-1] == "learns_nothing"


# Really trained: each fault in less than five seconds.


def trained(tmp_path, task, layers, **settings):
    from actlab import engine
    from actlab.study import Study

    usual = {"activations": ["tanh"], "seeds": 2, "epochs": 6, "learning_rates": [0.01]}
    return engine.train(Study(network=layers, **(usual | settings)), tmp_path / "run", task=task)


@pytest.fixture(scope="module")
def moons():
    from actlab import tasks

    return tasks.load("moons")


SMALL = [Dense(8), Act(), Dense(8), Act(), Dense(1)]


def test_a_healthy_training_is_left_in_peace(tmp_path, moons):
    recording = trained(tmp_path, moons, SMALL)
    assert warnings(recording) == {}
    assert recording.facts["inputs"] == scale_of(moons.x_train)


@pytest.mark.parametrize(("rate", "code"), [(1e-6, "rate_too_low"), (1.0, "rate_too_high")])
def test_a_rate_a_thousand_times_off(tmp_path, moons, rate, code):
    assert next(iter(warnings(trained(tmp_path, moons, SMALL, learning_rates=[rate])))) == code


def changed(task, x=lambda x: x, y=lambda y: y):
    from actlab.tasks.task import SPLITS, build

    pairs = [(x(getattr(task, f"x_{part}")), y(getattr(task, f"y_{part}"))) for part in SPLITS]
    return build("changed", *pairs, provenance="changed for a test")


def test_inputs_a_thousand_times_too_large(tmp_path, moons):
    recording = trained(tmp_path, changed(moons, lambda x: 1000 * x), SMALL, epochs=3)
    assert next(iter(warnings(recording))) == "inputs_off_scale"


def test_labels_that_were_shuffled(tmp_path, moons):
    rng = np.random.default_rng(0)
    recording = trained(tmp_path, changed(moons, y=rng.permutation), SMALL)
    assert next(iter(warnings(recording))) == "labels_unlearnable"


def test_units_that_start_alike_in_a_network_of_ones_own(tmp_path, moons):
    import jax

    def init(key):
        shapes = {"a": (2, 6), "b": (6, 6), "c": (6, 1)}
        return {name: jax.numpy.full(shape, 0.1) for name, shape in shapes.items()}

    def apply(params, x, act, *, training, key):
        x = act(x @ params["a"], name="first")
        return act(x @ params["b"], name="second") @ params["c"]

    recording = trained(tmp_path, moons, (init, apply), epochs=2)
    assert next(iter(warnings(recording))) == "units_alike"
