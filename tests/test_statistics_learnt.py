"""Variants in training, and what trainable parameters learn: against PyTorch as an independent trainer."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from tests.synthetic_recording import record, study

import actlab
from actlab.layers import Act, Dense
from actlab.recording import Recording
from actlab.statistics import reported, summarise
from actlab.statistics.learnt import learnt
from actlab.study import SGD, Study
from actlab.tasks import load

FUNCTIONS = {
    "leaky_relu(negative_slope=0.2)": torch.nn.LeakyReLU(0.2),
    "elu(alpha=0.5)": torch.nn.ELU(0.5),
    "prelu(negative_slope=0.1)": torch.nn.PReLU(5, 0.1),
    "prelu": torch.nn.PReLU(5, 0.25),
    "maxout(pieces=3)": None,
}
EPOCHS, RATE = 6, 0.5


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Every step is one on all samples: their order is of no matter."""
    samples = len(load("moons").x_train)
    network = [Dense(5), Act(), Dense(4), Act("prelu"), Dense(1)]
    settings = {"task": "moons", "seeds": 3, "epochs": EPOCHS, "batch": samples, "probe_samples": 16}
    asked = Study(activations=list(FUNCTIONS), network=network, optimiser=SGD(), learning_rates=[RATE], **settings)
    return actlab.run(asked, tmp_path_factory.mktemp("learnt") / "run")


def in_torch(recording, member):
    """The network of a member in PyTorch, as it was before training, and the function in it."""
    start = recording.weights(member, 0)
    own = FUNCTIONS[member.activation]
    if isinstance(own, torch.nn.PReLU):
        own = torch.nn.PReLU(5, float(own.weight[0].detach()))
    layers = [torch.nn.Linear(*shape) for shape in ((2, 5), (5, 4), (4, 1))]
    for layer, name in zip(layers, ("dense1", "dense2", "dense3"), strict=True):
        layer.weight.data = torch.tensor(start[name]["weight"].T.copy())
        layer.bias.data = torch.tensor(start[name]["bias"].copy())
    return torch.nn.Sequential(layers[0], own, layers[1], torch.nn.PReLU(4, 0.25), layers[2]), own


@pytest.mark.parametrize("name", [name for name, module in FUNCTIONS.items() if module is not None])
def test_training_is_that_of_pytorch_with_these_parameters(trained, name):
    task = load("moons")
    x, y = torch.tensor(task.x_train), torch.tensor(task.y_train, dtype=torch.float32)
    row = next(row for row in summarise(trained)["activations"] if row["name"] == name)
    slopes = []
    for member in (member for member in trained.members if member.activation == name):
        network, own = in_torch(trained, member)
        trainer = torch.optim.SGD(network.parameters(), RATE)
        for _ in range(EPOCHS):
            trainer.zero_grad()
            torch.nn.functional.binary_cross_entropy_with_logits(network(x)[:, 0], y).backward()
            trainer.step()
        end = trained.weights(member, EPOCHS)
        np.testing.assert_allclose(end["dense1"]["weight"], network[0].weight.detach().T, rtol=1e-3, atol=1e-5)
        np.testing.assert_allclose(end["dense3"]["bias"], network[4].bias.detach(), rtol=1e-3, atol=1e-5)
        slopes += [own.weight.detach().numpy()] if isinstance(own, torch.nn.PReLU) else []
    if not slopes:
        assert row["learnt"] == []
        return
    (told,) = row["learnt"]
    means = np.mean(slopes, axis=1)
    expected = {
        "start": float(FUNCTIONS[name].weight[0].detach()),
        "mean": np.mean(means),
        "low": np.min(means),
        "high": np.max(means),
        "smallest": np.min(slopes),
        "largest": np.max(slopes),
    }
    assert (told.pop("layer"), told.pop("parameter")) == ("act1", "negative_slope")
    assert told == pytest.approx(expected, rel=1e-3, abs=1e-5)
    assert abs(told["mean"] - told["start"]) > 1e-3


def test_weights_and_cards_are_those_of_each_variant(trained):
    assert set(trained.functions) == set(FUNCTIONS)
    card = trained.functions["leaky_relu(negative_slope=0.2)"]
    expected = FUNCTIONS["leaky_relu(negative_slope=0.2)"](torch.tensor(card["x"], dtype=torch.float64))
    np.testing.assert_allclose(card["value"], expected, rtol=1e-12)
    assert card["parameters"]["negative_slope"]["default"] == 0.2
    # Three inputs to each of five units.
    member = next(member for member in trained.members if member.activation == "maxout(pieces=3)")
    assert trained.weights(member, 0)["dense1"]["weight"].shape == (2, 15)


def test_all_that_is_written_names_them(trained, tmp_path):
    from actlab.views.paper import write_methods, write_table, write_tables
    from actlab.views.tensorboard import run_name

    page = (trained.directory / "report.html").read_text(encoding="utf-8")
    assert "<h3>Learnt parameters</h3>" in page
    assert '"prelu(negative_slope=0.1)": (x, p0) =>' in page
    assert json.loads((trained.directory / "summary.json").read_text(encoding="utf-8")) == summarise(trained)
    results = (write_tables(trained, tmp_path / "csv") / "results.csv").read_text(encoding="utf-8")
    assert "learnt" not in results.splitlines()[0]
    assert ",leaky_relu(negative_slope=0.2)," in results
    table = write_table(trained, tmp_path / "t.tex").read_text(encoding="utf-8")
    assert r"leaky\_relu(negative\_slope=0.2) & " in table
    assert "elu(alpha=0.5)" in write_methods(trained, tmp_path / "m.md").read_text(encoding="utf-8")
    assert {run_name(trained, member).partition("/")[0] for member in trained.members} == set(FUNCTIONS)
    trained.feature_space("act1", activations=["elu(alpha=0.5)"]).plot().savefig(tmp_path / "a.png")


def test_the_same_command_trains_nothing(trained):
    before = (trained.directory / "study.db").stat().st_mtime_ns
    assert actlab.run(trained.study, trained.directory).study == trained.study
    assert (trained.directory / "study.db").stat().st_mtime_ns == before


def test_members_that_diverged_are_left_out(trained, monkeypatch):
    entry = next(entry for entry in reported(trained) if entry.activation == "prelu")
    whole = learnt(trained, entry)
    assert whole
    first, *others = entry.members
    left = type(entry)(**{**vars(entry), "members": (first.__class__(**{**vars(first), "diverged_epoch": 1}), *others)})
    rest = learnt(trained, left)
    assert rest
    by_hand = [trained.weights(member, EPOCHS)["act1"]["negative_slope"].mean() for member in others]
    assert rest[0]["mean"] == pytest.approx(np.mean(by_hand), rel=1e-5)
    assert rest[0]["mean"] != whole[0]["mean"]
    none = type(entry)(**{**vars(entry), "members": ()})
    assert np.isnan(learnt(trained, none)[0]["mean"])  # pyright: ignore[reportOptionalSubscript]


def test_what_was_not_kept_is_not_told(tmp_path, trained):
    made_up: Recording = record(tmp_path / "run", study(seeds=2))
    assert [row["learnt"] for row in summarise(made_up)["activations"]] == [None] * 3
    from actlab.views.report.learnt import table

    assert table(summarise(made_up), {}) == ""
