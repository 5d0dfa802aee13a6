"""What to try next: from which numbers it is said, and that the commands are ones that run."""

from __future__ import annotations

import itertools
import shlex

import numpy as np
import pytest
from tests.synthetic_recording import record, record_conditions, study

from actlab.statistics import summarise
from actlab.statistics.best import chances_of_best
from actlab.statistics.next_steps import seeds_wanted
from actlab.statistics.sign_flips import ALPHA
from actlab.statistics.simultaneous import differences_at_once
from actlab.study import from_toml


def steps(recording):
    return {
        step["command"].removeprefix("actlab compare study.toml "): step["sentence"]
        for step in summarise(recording)["next_steps"]
    }


def test_a_loss_that_still_falls_asks_for_more_epochs(tmp_path):
    found = steps(record(tmp_path / "run", metrics={"validation_loss": 0.3}))
    assert "sigmoid, tanh and relu still falls at the end" in found["--epochs 16"]


def test_a_loss_that_rises_again_asks_for_fewer(tmp_path):
    recording = record(tmp_path / "run")
    recording.metrics["validation_loss"][:] = np.abs(np.arange(9) - 3)[:, None] + 1.0
    found = steps(recording)
    assert "is lowest at epoch 3 and rises" in found["--epochs 3"]


def test_a_loss_that_never_fell_gains_nothing_from_fewer_epochs(tmp_path):
    recording = record(tmp_path / "run")
    recording.metrics["validation_loss"][:] = np.linspace(0.7, 0.9, 9)[:, None]
    recording.metrics["validation_loss"][1] = 0.695
    assert not [command for command in steps(recording) if "--epochs" in command]


def test_a_flat_loss_asks_for_neither(tmp_path):
    assert not [
        command
        for command in steps(record(tmp_path / "run", metrics={"validation_loss": 1.0}))
        if "--epochs" in command
    ]


def test_diverged_networks_ask_for_smaller_steps(tmp_path):
    recording = record(tmp_path / "run", diverged={("tanh", 0.05, 0): (3, "the training loss became infinite")})
    assert steps(recording)["--learning-rates 0.005,0.05"] == "Networks with tanh diverged: smaller steps."


def test_a_difference_that_cannot_be_told_asks_for_seeds(tmp_path):
    def accuracy(member):
        return (
            0.9 + 0.002 * (member.activation == "relu") + 0.004 * (member.seed % 5 - 2) * (member.activation == "tanh")
        )

    found = steps(record(tmp_path / "run", study(activations=("relu", "tanh")), metrics={"test_accuracy": accuracy}))
    (wanted,) = [command for command in found if command.startswith("--seeds")]
    assert int(wanted.split()[1]) > 10
    assert "relu is 0.2 points ahead of tanh, which 10 seeds cannot tell from none" in found[wanted]


def test_a_difference_that_can_be_told_asks_for_none(tmp_path):
    recording = record(
        tmp_path / "run",
        study(activations=("relu", "tanh"), seeds=tuple(range(20))),
        metrics={"test_accuracy": lambda m: 0.9 + 0.02 * (m.activation == "relu") + 0.0001 * m.seed},
    )
    assert not [command for command in steps(recording) if "--seeds" in command]


# What learns badly: a cross-entropy of 0.6, where naming the classes' frequencies has 0.69.
BADLY = {"train_loss": 0.6, "validation_loss": 0.65}
TWO_PLACES = {"weight_layers": ["dense1", "dense2", "dense3"], "act_layers": ["act1", "act2"]}


def vanished(members, first=1e-3):
    return {
        "activation_gradient_norm": np.tile(np.float32([first, 1.0]), (9, members, 1)),
        "pre_activation_gradient_norm": np.tile(np.float32([first, 1.0]), (9, members, 1)),
        "dead_share": np.zeros((9, members, 2), np.float32),
        "flat_share": np.zeros((9, members, 2), np.float32),
        "weight_gradient_norm": np.ones((9, members, 3), np.float32),
    }


def test_vanished_gradients_ask_for_other_weights(tmp_path):
    found = steps(record(tmp_path / "run", arrays=vanished(30), facts=TWO_PLACES, metrics=BADLY))
    assert found["--init critical"].startswith("Networks with sigmoid, tanh and relu pass on too little")
    healthy = record(tmp_path / "healthy", arrays=vanished(30), facts=TWO_PLACES)
    assert "--init critical" not in steps(healthy)


def test_dead_units_ask_for_other_functions(tmp_path):
    dead = np.full((9, 30, 1), 0.6, np.float32)
    found = steps(record(tmp_path / "run", arrays={"dead_share": dead}, metrics=BADLY))
    assert any(command.startswith("--activations ") and command.endswith("leaky_relu,silu") for command in found)
    learnt = record(tmp_path / "learnt", arrays={"dead_share": dead})
    assert not [command for command in steps(learnt) if "--activations" in command]


def test_one_rectifier_in_ten_that_is_dead_is_healthy(tmp_path):
    arrays = {"dead_share": np.full((9, 30, 1), 0.12, np.float32)}
    recording = record(tmp_path / "run", arrays=arrays, metrics=BADLY)
    assert not [command for command in steps(recording) if "--activations" in command]


def test_nothing_is_advised_that_the_study_has_already(tmp_path):
    names = ("relu", "leaky_relu", "silu")
    dead = np.full((9, 30, 1), 0.6, np.float32)
    recording = record(tmp_path / "run", study(activations=names), arrays={"dead_share": dead}, metrics=BADLY)
    assert not [command for command in steps(recording) if "--activations" in command]
    arrays = {"dead_share": dead[:, :20].copy()}
    some = record(tmp_path / "some", study(activations=names[:2]), arrays=arrays, metrics=BADLY)
    (command,) = [command for command in steps(some) if "--activations" in command]
    assert command == "--activations relu,leaky_relu,silu"
    assert "128 samples" in steps(some)[command]


def test_smaller_rates_than_all_that_were_tried(tmp_path):
    diverged = {("tanh", 0.1, 0): (3, "lost")}
    recording = record_conditions(tmp_path / "run", diverged=diverged)
    (command,) = [command for command in steps(recording) if "--learning-rates" in command]
    assert command == "--learning-rates 0.005,0.05"


def test_where_smaller_rates_are_looked_for_no_other_search_is_advised(tmp_path):
    recording = record(tmp_path / "run", diverged={("tanh", 0.05, 0): (3, "lost")})
    assert [command for command in steps(recording) if "--learning-rates" in command] == ["--learning-rates 0.005,0.05"]


def test_longer_for_some_and_shorter_for_others_is_one_step(tmp_path):
    recording = record(tmp_path / "run", study(activations=("relu", "tanh"), seeds=2))
    recording.metrics["validation_loss"][:, :2] = np.linspace(1, 0.2, 9)[:, None]
    recording.metrics["validation_loss"][:, 2:] = np.abs(np.arange(9) - 3)[:, None] + 1.0
    found = {command: sentence for command, sentence in steps(recording).items() if "--epochs" in command}
    ((command, sentence),) = found.items()
    assert command == "--epochs 16 --activations relu"
    assert "of relu still falls at the end, that of tanh is lowest at epoch 3" in sentence


@pytest.mark.parametrize("shape", [0.3, lambda m: np.abs(np.arange(9) - 3) + 1.0])
def test_test_data_do_not_choose_the_number_of_epochs(tmp_path, shape):
    recording = record(tmp_path / "run", study(validation="test"), metrics={"validation_loss": shape})
    assert not [command for command in steps(recording) if "--epochs" in command]


def test_a_run_that_was_stopped_is_not_told_to_train_longer(tmp_path):
    recording = record(tmp_path / "run", last_epoch=6, complete=False, metrics={"validation_loss": 0.3})
    assert not [command for command in steps(recording) if "--epochs" in command]


def test_no_number_is_missing_where_the_second_best_mostly_diverged(tmp_path):
    """Three seeds are left of tanh, others than those of relu: there is no difference to speak of."""
    diverged = {("tanh", 0.05, seed): (3, "lost") for seed in range(2, 10)}
    diverged |= {("relu", 0.05, seed): (3, "lost") for seed in range(2)}
    recording = record(tmp_path / "run", study(activations=("relu", "tanh")), diverged=diverged)
    assert not [text for text in steps(recording).values() if "nan" in text]
    assert not [command for command in steps(recording) if "--seeds" in command]


@pytest.mark.parametrize("rivals", [1, 5])
def test_the_seeds_advised_do_tell_such_a_difference(rivals):
    """A simulation of what the sentence promises: in four of five studies the worse one is left out."""
    effect = 0.8
    seeds = seeds_wanted(effect, rivals)
    generator = np.random.default_rng(0)
    told = 0
    for _ in range(300):
        # Differences to the best one have a standard deviation of 1.
        values = generator.normal(size=(rivals + 1, seeds)) / np.sqrt(2)
        values[0] += effect
        pairs = differences_at_once([a - b for a, b in itertools.combinations(values, 2)])
        told += chances_of_best(values)[1] <= ALPHA and any(one.is_told for one in pairs)
    assert abs(told / 300 - 0.8) < 0.1


@pytest.mark.parametrize("epochs", [-1, 0])
def test_of_nothing_nothing_follows(tmp_path, epochs):
    assert steps(record(tmp_path / "run", last_epoch=epochs, complete=False)) == {}


def test_the_commands_are_understood(tmp_path):
    from actlab.study.changes import changed

    recording = record(tmp_path / "run", diverged={("tanh", 0.05, 0): (3, "infinite")})
    base = from_toml(recording.directory / "study.toml", recorded=True)
    for command in steps(recording):
        option, value = shlex.split(command)
        name = option.removeprefix("--").replace("-", "_")
        given = [float(v) for v in value.split(",")] if name == "learning_rates" and value != "auto" else value
        given = int(value) if name in {"epochs", "seeds"} else given
        assert changed(base, {name: given}, []) != base


# What is wrong, and what would help.


def moving(members, *ratios):
    """‖ΔW‖/‖W‖ of two layers: one number for each stretch of members."""
    by_member = np.repeat(np.float32(ratios), members)
    return {"update_ratio": np.tile(by_member[:, None], (9, 1, 2))}


def test_steps_too_large_ask_for_lower_rates_than_all_that_were_tried(tmp_path):
    made_up = study(activations=("relu",), seeds=3)
    found = steps(record(tmp_path / "run", made_up, arrays=moving(3, 0.9), metrics=BADLY))
    (command,) = [command for command in found if "--learning-rates" in command]
    assert command == "--learning-rates 0.0005,0.005"
    assert found[command] == "The learning rate is too high for relu: smaller steps."


def test_weights_that_hardly_move_ask_for_higher_rates(tmp_path):
    """Eight epochs of one step: they move by 8 · 5e-4 = 0.4 %, and want some 1,000 times as much."""
    made_up = study(activations=("relu",), seeds=3)
    found = steps(record(tmp_path / "run", made_up, arrays=moving(3, 5e-4), metrics=BADLY))
    assert [command for command in found if "--learning-rates" in command] == ["--learning-rates 5,50"]
    assert not [command for command in found if "--epochs" in command]


def test_lower_rates_for_some_and_higher_ones_for_others_name_whom_they_are_for(tmp_path):
    made_up = study(activations=("relu", "tanh", "gelu"), seeds=3)
    recording = record(tmp_path / "run", made_up, arrays=moving(3, 0.9, 5e-4, 0.01), metrics=BADLY)
    commands = [command for command in steps(recording) if "--learning-rates" in command]
    assert commands == ["--learning-rates 0.0005,0.005 --activations relu", "--learning-rates 5,50 --activations tanh"]


def test_rates_that_were_tried_are_not_advised(tmp_path):
    made_up = study(
        activations=("relu",), seeds=3, learning_rates=(0.05, 5.0), stated_rate=0.05,
        chosen_rates={"stated": {"relu": 0.05}},
    )  # fmt: skip
    recording = record(tmp_path / "run", made_up, arrays=moving(3, 5e-4), metrics=BADLY)
    commands = [command for command in steps(recording) if "--learning-rates" in command]
    assert commands == ["--learning-rates 50"]


def off_scale(**known):
    return {"inputs": {"rms": 900.0, "column_rms": 1000.0, "spread": 900.0, "minimum": 0.0, "maximum": 4e3} | known}


@pytest.mark.parametrize(
    ("settings", "command"),
    [
        ({"task": "mine.npz", "scale": "none"}, "--scale 1000"),
        ({"task": "mine.npz", "scale": 4.0}, "--scale 4000"),
        ({"task": "mine.mat"}, "--scale 1000"),
        ({"task": "parabolas"}, ""),
    ],
)
def test_inputs_off_scale_come_before_all_else(tmp_path, settings, command):
    """With other inputs, rates, weights and dead units are another matter."""
    made_up = study(activations=("relu",), seeds=3, **settings)
    arrays = moving(3, 0.9) | {"dead_share": np.ones((9, 3, 1), np.float32)}
    found = steps(record(tmp_path / "run", made_up, arrays=arrays, metrics=BADLY, facts=off_scale()))
    assert list(found) == [command]
    far = record(tmp_path / "far", made_up, metrics=BADLY, facts=off_scale(spread=1.0))
    assert list(steps(far)) == [""]
    assert "Subtract from every feature its mean" in steps(far)[""]


def test_a_narrow_layer_is_made_as_wide_as_the_widest(tmp_path):
    from actlab.layers import Act, Dense

    layers = (Dense(24), Act(), Dense(1), Act(), Dense(8), Act(), Dense(1))
    facts = {"weight_layers": [f"dense{i}" for i in range(1, 5)], "act_layers": ["act1", "act2", "act3"]}
    made_up = study(network=layers, activations=("relu", "tanh"), seeds=3)
    recording = record(tmp_path / "run", made_up, metrics=BADLY, facts=facts)
    found = steps(recording)
    assert found["--set network.2.units=24"] == (
        "dense2 is too narrow for networks with relu and tanh: 24 units instead of 1."
    )
    from actlab.study.changes import changed

    base = from_toml(recording.directory / "study.toml", recorded=True)
    assert changed(base, {}, ["network.2.units=24"]).network[2].units == 24


def test_labels_that_do_not_fit_are_to_be_looked_at_and_not_trained_on_longer(tmp_path):
    facts = {"samples": {"train": 1000, "validation": 1000, "test": 1000}}
    metrics = BADLY | {"train_accuracy": 0.6, "validation_accuracy": 0.9, "validation_loss": 0.3}
    found = steps(record(tmp_path / "run", metrics=metrics, facts=facts))
    assert "Look through the labels" in found[""]
    assert not [command for command in found if "--epochs" in command or "auto" in command]


def test_other_weights_are_not_advised_where_the_study_has_taken_them(tmp_path):
    made_up = study(activations=("relu",), seeds=3, init="critical")
    members = 2 * 3
    recording = record(tmp_path / "run", made_up, arrays=vanished(members), facts=TWO_PLACES, metrics=BADLY)
    assert not [command for command in steps(recording) if "--init" in command]


def test_what_is_sound_is_still_told_to_train_longer(tmp_path):
    made_up = study(activations=("relu", "tanh"), seeds=3)
    arrays = {"dead_share": np.float32([[[1.0]] * 3 + [[0.0]] * 3] * 9)}
    metrics = {
        "train_loss": lambda m: 0.65 if m.activation == "relu" else 0.2,
        "validation_loss": lambda m: 0.65 if m.activation == "relu" else 0.2,
    }
    found = steps(record(tmp_path / "run", made_up, arrays=arrays, metrics=metrics))
    (longer,) = [sentence for command, sentence in found.items() if "--epochs" in command]
    assert "of tanh still falls" in longer
