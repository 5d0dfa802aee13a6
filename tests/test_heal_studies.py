"""Studies healed, and the command: the diff is that of the study's file, exit codes and JSON are what programs read."""

from __future__ import annotations

import json

import numpy as np
import pytest
from tests.command_line import command_line

import actlab
from actlab import engine
from actlab.errors import InvalidStudy, RecordingFailed
from actlab.laboratory.healing.studies import heal_study
from actlab.study import Study

# With Adam at a millionth weights hardly move.
BROKEN = Study(
    name="too slow", task="moons", activations=["tanh"], learning_rates=[1e-6], seeds=[0, 1, 2], epochs=12,
    network=[{"layer": "dense", "units": 8}, {"layer": "act"}, {"layer": "dense", "units": 1}],
)  # fmt: skip
SOUND = BROKEN.model_copy(update={"learning_rates": (0.03,), "name": "sound"})


@pytest.fixture(scope="module")
def broken(tmp_path_factory):
    return engine.train(BROKEN, tmp_path_factory.mktemp("runs") / "broken")


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    return engine.train(SOUND, tmp_path_factory.mktemp("runs") / "sound")


def test_a_study_is_healed_and_the_diff_makes_the_study_that_was_tried(broken, tmp_path):
    found = heal_study(broken, tmp_path / "tries", target=0.8)
    assert found.repaired is True
    assert found.seeds == (3, 4, 5)
    lines = found.line.splitlines()
    assert [own for own in lines if own[0] == "-"][1:] == ["-    1e-06,"]
    (added,) = [own for own in lines if own[0] == "+"][1:]
    assert " learning_rates = [" in lines
    # Scores are those of a study of the same settings, trained apart.
    chosen = {"learning_rates": (float(added.strip("+ ,")),), "seeds": found.seeds}
    alone = engine.train(BROKEN.model_copy(update=chosen), tmp_path / "alone")
    np.testing.assert_allclose(found.remedy.scores, alone.metrics["validation_accuracy"][-1], atol=1e-6)
    with pytest.raises(RecordingFailed, match="is there already"):
        heal_study(broken, tmp_path / "tries")


def test_a_study_with_nothing_wrong_is_left_alone(sound, tmp_path):
    found = heal_study(sound, tmp_path / "tries")
    assert (found.state, found.tries, found.ok) == ("healthy", (), True)
    assert not (tmp_path / "tries").exists()


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"activation": "mish"}, "mish is no activation"),
        ({"twin": "tanh"}, "no healthy twin"),
        ({"seeds": 1}, "two new"),
    ],
)
def test_what_a_study_cannot_be_asked_is_refused(broken, tmp_path, given, sentence):
    with pytest.raises(InvalidStudy, match=sentence):
        heal_study(broken, tmp_path / "tries", **given)


OWN = """
import torch
import torch.nn.functional as F

def build(bias=-20.0):
    model = torch.nn.Sequential(torch.nn.Linear(2, 12), torch.nn.ReLU(), torch.nn.Linear(12, 2))
    torch.nn.init.constant_(model[0].bias, bias)
    return model

def sound():
    return build(0.1)

def train(model, seed):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(128, 2, generator=generator)
    y = (x[:, 0] > 0).long()
    optimiser = torch.optim.Adam(model.parameters(), 0.02)
    for _ in range(60):
        optimiser.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimiser.step()
    return float((model(x).argmax(1) == y).float().mean())
"""


@pytest.fixture
def command(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_own_network.py").write_text(OWN)
    return command_line(monkeypatch, capsys)


def test_the_command_heals_a_network_of_ones_own(command):
    code, out, err = command("heal", "my_own_network:build", "my_own_network:train", "--target", 0.9, "--json")
    assert (code, err) == (0, "")
    told = json.loads(out)
    assert (told["repaired"], told["remedy"], told["seeds"]) == (True, ["default_start"], [1, 2, 3])
    code, out, err = command("heal", "my_own_network:sound", "my_own_network:train")
    assert code == 0
    assert "No change was tried." in out
    code, out, err = command("heal", "my_own_network:build", "my_own_network:train", "--seeds", 2)
    assert code == 1
    assert "when it is repaired" in out
    assert "trying: untreated" in err
    twin = "my_own_network:sound,my_own_network:train"
    assert command("heal", "my_own_network:build", "my_own_network:train", "--twin", twin)[0] == 0


def test_processes_find_what_the_command_was_given(command):
    code, out, _ = command(
        "heal", "my_own_network:build", "my_own_network:train", "--target", 0.9, "--processes", 2, "--json"
    )
    assert code == 0
    told = json.loads(out)
    assert told["told"][-1] == "Trained in 2 processes."
    assert told["remedy"] == ["default_start"]


def test_the_command_heals_a_study(command, broken):
    code, out, err = command("heal", broken.directory, "--target", 0.8, "--out", "tries", "--seeds", 2)
    assert code == 0
    assert "-    1e-06," in out
    assert "trying: untreated" in err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["my_own_network:build", "my_own_network:missing"], "cannot be imported"),
        (["my_own_network:build", "my_own_network:F"], "a function is expected"),
        (["my_own_network:build"], "is no run directory"),
        (["a", "b", "c"], "one RUN or STUDY.toml"),
        (["my_own_network:build", "my_own_network:train", "--out", "x"], "are of studies"),
        (["my_own_network:build", "my_own_network:train", "--twin", "a"], "cannot be imported"),
        (["runs", "--metric", "x"], "networks of your own"),
    ],
)
def test_what_the_command_cannot_do_is_a_sentence(command, arguments, sentence):
    code, out, err = command("heal", *arguments)
    assert (code, out) == (2, "")
    assert sentence in err
    assert err.count("\n") == 1


def test_it_is_a_name_of_the_package():
    assert actlab.heal.__name__ == "heal"
