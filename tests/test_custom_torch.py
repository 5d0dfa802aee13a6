"""A network in PyTorch as a user gives it: what becomes of it in a recording, and what is refused."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch
from tests.engine_support import small_task
from tests.torch_members import SHAPE, Net, study_of
from torch import nn
from typer.testing import CliRunner

import actlab
from actlab import engine
from actlab.cli import app
from actlab.custom import TorchNetwork
from actlab.errors import InvalidNetwork, InvalidRecording, InvalidStudy
from actlab.study import Study, from_toml


class Pictures(nn.Module):
    """Channels first, as PyTorch has them."""

    def __init__(self, act):
        super().__init__()
        self.conv, self.act, self.last = nn.Conv2d(1, 4, 3), act("conv"), nn.Linear(4 * 36, 10)

    def forward(self, x):
        assert x.shape[1:] == (1, 8, 8)
        return self.last(self.act(self.conv(x)).flatten(1))


def test_pictures_come_channels_first_and_units_are_channels(tmp_path):
    task = small_task((20, 20, 20), 10, (8, 8, 1))
    study = study_of(Pictures, activations=["relu", "prelu"], epochs=1)
    recording = engine.train(study, tmp_path / "run", task=task)
    assert recording.facts["unit_axes"] == {"conv": -3}
    member = next(m for m in recording.members if m.activation == "prelu")
    weights = recording.weights(member, 1)
    # Weights stand as in every recording, inputs before units.
    assert weights["network"]["conv.weight"].shape == (3, 3, 1, 4)
    assert weights["conv"]["negative_slope"].shape == (4,)
    torch.manual_seed(member.seed)
    start = Pictures(lambda name: nn.Identity()).conv.weight.detach().numpy()
    np.testing.assert_array_equal(recording.weights(member, 0)["network"]["conv.weight"], start.transpose(2, 3, 1, 0))
    # A channel that is below zero wherever it looks is dead; the loop over channels counts them.
    relu = recording.members[0]
    kernel = recording.weights(relu, 0)["network"]
    chosen = np.random.default_rng([0, 1]).permutation(20)[:8]
    x = torch.from_numpy(task.x_train[chosen]).permute(0, 3, 1, 2)
    z = nn.functional.conv2d(
        x, torch.from_numpy(kernel["conv.weight"].transpose(3, 2, 0, 1).copy()), torch.from_numpy(kernel["conv.bias"])
    )
    flat = (z <= 0).numpy()
    np.testing.assert_allclose(recording.probes["flat_share"][0, relu.id, 0], flat.mean(), rtol=1e-6)
    np.testing.assert_allclose(
        recording.probes["dead_share"][0, relu.id, 0], flat.all(axis=(0, 2, 3)).mean(), rtol=1e-6
    )


def plain():
    return nn.Sequential(nn.Linear(6, 8), nn.PReLU(8), nn.Linear(8, 3))


def test_a_module_without_act_has_its_activations_replaced(tmp_path):
    task = small_task((20, 20, 20), 3, SHAPE)
    recording = engine.train(study_of(plain, activations="gelu"), tmp_path / "run", task=task)
    assert recording.act_layers == ("1",)
    assert recording.facts["replaced"] == {"1": "PReLU(num_parameters=8)"}
    assert recording.facts["parameters"] == {"gelu": 6 * 8 + 8 + 8 * 3 + 3}


class Shared(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second, self.last, self.relu = nn.Linear(6, 8), nn.Linear(8, 8), nn.Linear(8, 3), nn.ReLU()

    def forward(self, x):
        return self.last(self.relu(self.second(self.relu(self.first(x)))))


def test_a_module_that_is_called_twice_makes_two_places(tmp_path):
    task = small_task((20, 20, 20), 3, SHAPE)
    recording = engine.train(study_of(Shared, activations="prelu"), tmp_path / "run", task=task)
    assert recording.act_layers == ("relu", "relu/2")
    assert set(recording.weights(recording.members[0], 0)) == {"network", "relu", "relu/2"}


class Twice(Net):
    def __init__(self, act):
        super().__init__(act)
        self.other = act("hidden")


class Never(Net):
    def forward(self, x):
        return self.last(self.second(self.first(x)))


class Wide(Net):
    def forward(self, x):
        return super().forward(x)[:, None]


class Mistaken(Net):
    def forward(self, x):
        return self.last(self.first(x))


class Branching(Net):
    def forward(self, x):
        return super().forward(x) if x.sum() > 0 else super().forward(x * 2)


class Reassigning(Net):
    def __init__(self, act):
        super().__init__(act)
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, x):
        self.seen = self.seen + 1
        return super().forward(x)


class Shuffling(Net):
    def forward(self, x):
        return super().forward(x[:, torch.randperm(6)])


class Unseeded(Net):
    def __init__(self, act):
        super().__init__(act)
        nn.init.constant_(self.first.weight, float(np.random.default_rng().random()))


def failing(act):
    raise ZeroDivisionError("by zero")


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (Twice, "act is called twice under the name 'hidden': give every place a name of its own"),
        (Never, r"no module that act\(name\) gave is called in forward"),
        (Wide, r"must return logits \(batch, outputs\) and returns \(2, 1, 3\) for a batch of 2"),
        (Mistaken, r"with relu fails on samples of shape \(6,\) \(RuntimeError: mat1 and mat2"),
        (Branching, "with relu cannot be trained for all members at once .*control flow.*a training loop of your own"),
        (Reassigning, r"a new tensor in the place of its buffer 'seen'.*change it in place \(self.seen.copy_"),
        (Shuffling, "draws by aten.randperm.* cannot be drawn seed by seed.*use dropout or one of"),
        (Unseeded, r"built twice after torch.manual_seed\(3\) it starts from other weights"),
        (lambda: nn.Linear(6, 3), "takes no act, and its own activations cannot be replaced: there is nothing to swap"),
    ],
)  # fmt: skip
def test_a_wrong_module_is_refused_before_anything_is_written(network, message, tmp_path):
    with pytest.raises(InvalidNetwork, match=message):
        engine.train(study_of(network), tmp_path / "run", task=small_task((20, 20, 20), 3, SHAPE))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (nn.Linear(6, 3), "is a module that is built already, .*give the class or the function that builds it"),
        (failing, r"network .*failing cannot be built \(ZeroDivisionError: by zero\)"),
        (lambda act: act, "<lambda> is no torch.nn.Module, but function: a class or function that builds one is"),
        ("json:loads", "is no network"),
    ],
)  # fmt: skip
def test_what_builds_no_module(network, message):
    with pytest.raises(InvalidStudy, match=message):
        Study(network=network)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"init": "gain"}, "init 'gain' scales the weights of layers"),
        ({"match": "parameters"}, "match 'parameters' widens"),
    ],
)
def test_settings_that_need_layers(changes, message, tmp_path):
    with pytest.raises(InvalidStudy, match=message):
        engine.train(study_of(**changes), tmp_path / "run", task=small_task((20, 20, 20), 3, SHAPE))


def test_a_limit_of_memory_is_refused(tmp_path):
    with pytest.raises(InvalidStudy, match="memory is a limit that the engine for PyTorch does not keep"):
        engine.train(study_of(), tmp_path / "run", task=small_task((20, 20, 20), 3, SHAPE), memory=2**33)


CODE = """
import torch

class Net(torch.nn.Module):
    def __init__(self, act):
        super().__init__()
        self.first, self.act, self.last = torch.nn.Linear(64, 12), act("hidden"), torch.nn.Linear(12, 10)

    def forward(self, x):
        return self.last(self.act(self.first(x.flatten(1))))
"""


def test_from_a_study_file_on_the_command_line_and_read_without_its_code(tmp_path, monkeypatch):
    (tmp_path / "a_module_of_mine.py").write_text(CODE, encoding="utf-8")
    settings = 'network = "a_module_of_mine:Net"\nactivations = ["relu", "tanh"]\nseeds = 2\nepochs = 1\nbatch = 64\n'
    (tmp_path / "study.toml").write_text(settings + "learning_rates = [0.01]\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    try:
        study = from_toml("study.toml")
        assert isinstance(study.network, TorchNetwork)
        assert Study(**study.model_dump()).identity == study.identity
        result = CliRunner().invoke(app, ["compare", "study.toml", "--out", "run"])
        assert result.exit_code == 0, result.output
    finally:
        sys.modules.pop("a_module_of_mine", None)
    (tmp_path / "a_module_of_mine.py").unlink()
    recording = actlab.load("run")
    assert (recording.study.network.name, recording.facts["engine"]) == ("a_module_of_mine:Net", "torch")
    assert set(recording.facts["versions"]) == {"actlab", "numpy", "torch"}
    page = actlab.report(recording, "again.html").read_text(encoding="utf-8")
    assert "a_module_of_mine:Net" in page
    with pytest.raises(InvalidRecording, match="does not hold the code of the network a_module_of_mine:Net"):
        recording.network("relu")
