"""What to try next: from which numbers it is said, and that the commands are ones that run."""

from __future__ import annotations

import shlex

import numpy as np
import pytest
from tests.synthetic_recording import record, study

from actlab.statistics import summarise
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
    assert "differ by 0.2 points" in found[wanted]


def test_a_difference_that_can_be_told_asks_for_none(tmp_path):
    recording = record(
        tmp_path / "run",
        study(activations=("relu", "tanh"), seeds=tuple(range(20))),
        metrics={"test_accuracy": lambda m: 0.9 + 0.02 * (m.activation == "relu") + 0.0001 * m.seed},
    )
    assert not [command for command in steps(recording) if "--seeds" in command]


def test_vanished_gradients_and_dead_units(tmp_path):
    norms = np.tile(np.float32([1e-4, 1.0]), (9, 30, 1))
    dead = np.full((9, 30, 1), 0.5, np.float32)
    found = steps(record(tmp_path / "run", arrays={"weight_gradient_norm": norms, "dead_share": dead}))
    assert "less than 1% of the last layer's gradient" in found["--init critical"]
    assert any(command.startswith("--activations ") and command.endswith("leaky_relu,silu") for command in found)


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
